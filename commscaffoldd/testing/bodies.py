"""Bodies as a test writes them, and as a handler gets and gives them."""

from __future__ import annotations

from typing import Any

from commscaffoldd.codecs import Codec
from commscaffoldd.plugin.host import PluginHost


class Bodies:
    """Encodes requests and decodes replies, as the handlers' annotations say."""

    def __init__(self, host: PluginHost) -> None:
        self._signatures = {message_id: handler.signature for message_id, handler in host.handlers.items()}

    def encode(self, message_id: int, body: object) -> bytes:
        """A request's body: bytes as they are, a value of the handler's type encoded.

        Raises:
            TypeError, ValueError: it is neither.
        """
        if isinstance(body, bytes | bytearray | memoryview):
            return bytes(body)
        signature = self._signatures.get(message_id)
        if signature is None or signature.body is None:
            raise TypeError(
                f"the handler of message ID {message_id} has no parameter `body` with a type, so a body is bytes, "
                f"not {type(body).__name__}"
            )
        return signature.body.encode(body)

    def decode(self, message_id: int, body: bytes) -> Any:  # noqa: ANN401  # whatever the handler's reply type is
        """A reply, as the handler's annotation has it; without one the body itself."""
        codec = self._reply(message_id)
        return body if codec is None else codec.decode(body)

    def _reply(self, message_id: int) -> Codec | None:
        signature = self._signatures.get(message_id)
        return None if signature is None else signature.reply
