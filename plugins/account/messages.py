"""The bodies of requests and replies, as README.md describes them. Pure functions."""

from __future__ import annotations

import dataclasses
import enum
import unicodedata

from commscaffoldd import codec

MAX_NAME = 64


class Status(enum.IntEnum):
    """The first byte of a reply."""

    OK = 0
    NAME_TAKEN = 1
    WRONG = 2
    MALFORMED = 3
    TOO_MANY_ATTEMPTS = 4
    NOT_AVAILABLE = 5


class MalformedError(ValueError):
    """The body is not a name and a password; the text, for the client, says why."""


@codec
@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A reply: u8 status, then a text for people in UTF-8."""

    status: Status
    text: str

    def encode(self) -> bytes:
        """The reply's body."""
        return bytes([self.status]) + self.text.encode()

    @classmethod
    def decode(cls, body: bytes) -> Answer:
        """What a client makes of it.

        Raises:
            ValueError: it is none.
        """
        if not body:
            raise ValueError("the status is missing")
        return cls(Status(body[0]), body[1:].decode())


def parse(body: bytes) -> tuple[str, str]:
    """Name and password of a request: each one u8 length in bytes, then as much UTF-8; nothing after.

    Both come back in Unicode's composed form (NFC), so that one name typed on two systems is one name.

    Raises:
        MalformedError: anything else.
    """
    name, rest = _text(body, "name")
    password, rest = _text(rest, "password")
    if rest:
        raise MalformedError(f"{len(rest)} bytes too many after the password")
    if not name.isprintable() or name != name.strip():
        raise MalformedError("a name has no control characters, and no spaces around it")
    if len(name) > MAX_NAME:
        raise MalformedError(f"a name has at most {MAX_NAME} characters")
    return name, password


def _text(data: bytes, what: str) -> tuple[str, bytes]:
    if not data:
        raise MalformedError(f"the {what} is missing")
    end = 1 + data[0]
    if data[0] == 0:
        raise MalformedError(f"the {what} is empty")
    if len(data) < end:
        raise MalformedError(f"the {what} should have {data[0]} bytes, {len(data) - 1} are there")
    try:
        text = data[1:end].decode()
    except UnicodeDecodeError:
        raise MalformedError(f"the {what} is not UTF-8") from None
    return unicodedata.normalize("NFC", text), data[end:]
