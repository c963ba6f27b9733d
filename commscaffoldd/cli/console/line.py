"""What a typed line means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from commscaffoldd.cli.typed.body import FORMATS, BodyType, NotConvertible, body_from_json
from commscaffoldd.cli.typed.known import KnownMessage

COMMANDS: Final = {
    "ids": "the message IDs that the daemon handles",
    "send": "send a message without waiting for a reply: send ID BODY",
    "wait": "show what comes, for so many seconds: wait 2.5",
    "reconnect": "close the connection and open another one",
    "help": "this",
    "quit": "leave; so does Ctrl-D",
}
_BEGINS_JSON: Final = ("{", "[", '"')
_LARGEST_ID: Final = (1 << 64) - 1


class Message(NamedTuple):
    """A message to send, and whether to wait for its reply."""

    id: int
    body: bytes
    waits: bool


class Command(NamedTuple):
    """One of `COMMANDS`, but for `send`, and what stands behind it."""

    name: str
    argument: str


Line: TypeAlias = Message | Command


class NotALine(ValueError):  # noqa: N818  # it names what is the matter
    """A line that means nothing; the text says what is allowed."""


def parse_line(text: str, known: Mapping[int, KnownMessage], format_name: str | None) -> Line | None:
    """What the line means; `None` for an empty one or a comment.

    Args:
        text: as typed.
        known: what the daemon says of its messages.
        format_name: how JSON is to be written where that is not known.

    Raises:
        NotALine: it means nothing.
        OSError: a file that it names cannot be read.
    """
    word, _, rest = text.strip().partition(" ")
    if not word or word.startswith("#"):
        return None
    if word in COMMANDS and word != "send":
        return Command(word, rest.strip())
    waits = word != "send"
    if not waits:
        word, _, rest = rest.strip().partition(" ")
    message_id = _message_id(word, known)
    return Message(message_id, _body(rest, message_id, known, format_name), waits)


def _message_id(word: str, known: Mapping[int, KnownMessage]) -> int:
    try:
        number = int(word, 16 if word.lower().startswith("0x") else 10)
    except ValueError:
        named = [message.id for message in known.values() if message.name == word]
        if len(named) == 1:
            return named[0]
        if named:
            raise NotALine(f"{word} is the name of several: {', '.join(map(str, sorted(named)))}") from None
        raise NotALine(f"{word!r} is no message ID and no command; `help` lists what there is") from None
    if not 0 <= number <= _LARGEST_ID:
        raise NotALine(f"{word} is not a message ID; allowed: a number from 0 on, also as 0x2a")
    return number


def _body(text: str, message_id: int, known: Mapping[int, KnownMessage], format_name: str | None) -> bytes:
    if text.startswith("text:"):
        return _after(text, "text:").encode("utf-8", "surrogateescape")
    if text.startswith("hex:"):
        try:
            return bytes.fromhex(_after(text, "hex:"))
        except ValueError as error:
            raise NotALine(f"not hex: {error}") from None
    if text.startswith("@"):
        return Path(text[1:]).expanduser().read_bytes()
    kind = _kind(message_id, known, format_name)
    if kind is not None and text.startswith(_BEGINS_JSON):
        try:
            return body_from_json(text, kind)
        except NotConvertible as error:
            raise NotALine(f"{error} (text: in front sends it as it is)") from None
    return text.encode("utf-8", "surrogateescape")


def _kind(message_id: int, known: Mapping[int, KnownMessage], format_name: str | None) -> BodyType | None:
    message = known.get(message_id)
    if message is not None and message.body is not None:
        return message.body if message.body.format in FORMATS else None
    return None if format_name is None else BodyType(format_name)


def _after(text: str, prefix: str) -> str:
    return text.removeprefix(prefix).removeprefix(" ")
