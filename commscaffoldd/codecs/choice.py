"""Which codec an annotation asks for."""

from __future__ import annotations

import typing
from typing import Any

from commscaffoldd.codecs.base import FORMATS, Codec, Coding, Format, NoCodecError
from commscaffoldd.codecs.own import own_coding
from commscaffoldd.codecs.plain import bounded, bytes_coding, str_coding
from commscaffoldd.codecs.protobuf import is_message, message_coding
from commscaffoldd.codecs.structured import structured_coding
from commscaffoldd.core.error_text import describe


def codec_for(annotation: Any, format: Format | None = None) -> Codec:  # noqa: ANN401, A002  any annotation; its word
    """The codec of a type. Make it once: it costs as much as thousands of messages.

    Args:
        annotation: a class or a generic type, not a string.
        format: how types that have no encoding of their own travel; MessagePack if it is not said. `bytes`, `str`,
            protobuf messages and types with a codec of their own are what they are, whatever it says.

    Raises:
        NoCodecError: there is none, and why.
        ValueError: there is no such format.
    """
    if format is not None and format not in FORMATS:
        raise ValueError(f"there is no format {format!r}; there are: {', '.join(FORMATS)}")
    try:
        name, coding = _find(annotation, format or "msgpack")
    except NoCodecError:
        raise
    except Exception as error:  # noqa: BLE001  the code of types and codecs runs here: anything can come of it
        what = describe(error)
        raise NoCodecError(f"the codec cannot be made: {what}") from None
    return Codec(name, annotation, coding.decode, coding.encode)


def _find(annotation: Any, language: Format) -> tuple[str, Coding]:  # noqa: ANN401
    if (own := own_coding(annotation)) is not None:
        return own
    bare = typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation
    if bare in (bytearray, memoryview):
        raise NoCodecError(f"there is no codec for {bare.__name__}: a body is bytes")
    if bare in (bytes, str):
        coding = bytes_coding() if bare is bytes else str_coding()
        return bare.__name__, coding if bare is annotation else bounded(coding, annotation)
    if is_message(bare):
        return "protobuf", message_coding(bare)
    return language, structured_coding(annotation, language)
