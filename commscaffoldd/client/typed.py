"""Values instead of bytes: what a client sends and gets, by the codecs that the daemon's handlers have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

from commscaffoldd.client.errors import BadReply
from commscaffoldd.codecs import BadBody, Codec, Format, codec_for
from commscaffoldd.codecs.base import type_name

T = TypeVar("T")

_KEPT: Final = 512  # codecs; making one costs as much as thousands of messages


class Typing:
    """One client's codecs, each made at its first use. Any thread."""

    def __init__(self, peer: str) -> None:
        """`peer` is the daemon's address, for texts."""
        self._peer = peer
        self._codec_for: Callable[[Any, Format | None], Codec] = functools.lru_cache(_KEPT)(codec_for)

    def encode(self, body: object, format: Format | None) -> bytes:  # noqa: A002  # the codecs' own word
        """The body of a value; bytes are what they are.

        Raises:
            NoCodecError: there is none for its type.
            TypeError, ValueError: there is something in it that cannot be encoded.
        """
        return body if type(body) is bytes else self._codec_for(type(body), format).encode(body)

    def decoder(
        self,
        message_id: int,
        reply: type[T],
        format: Format | None,  # noqa: A002
    ) -> Callable[[bytes], T]:
        """What makes values of the replies to this message; it raises BadReply. Raises NoCodecError: nothing can."""
        codec = self._codec_for(reply, format)

        def decode(body: bytes) -> T:
            try:
                value: Any = codec.decode(body)
            except BadBody as error:
                what = f"the reply to message ID {message_id} is no {type_name(reply)}"
                raise BadReply(f"{self._peer}: {what}: {error}") from None
            return value  # type: ignore[no-any-return]  # the codec was made for this type

        return decode
