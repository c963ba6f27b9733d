"""Which format a typed message has: the one that the command names, else the one that the daemon tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from commscaffoldd.cli.typed.body import FORMATS, BodyType, NotConvertible
from commscaffoldd.cli.typed.known import KnownMessage

_MOST: Final = 10  # message IDs that an error lists


def request_type(message_id: int, named: str | None, known: Mapping[int, KnownMessage]) -> BodyType:
    """Of a message's body. Raises NotConvertible if nobody says, or it has no JSON."""
    message = known.get(message_id)
    told = message.body if message else None
    if named is not None:
        return BodyType(named, told.schema if told and told.format == named else None)
    if told is None:
        raise NotConvertible(_nobody_says(message_id, known))
    if told.format not in FORMATS:
        hint = f"its handler takes {told.format}, for which there is no JSON; allowed: {', '.join(FORMATS)}"
        raise NotConvertible(f"message ID {message_id}: {hint}")
    return told


def reply_format(message_id: int, named: str | None, known: Mapping[int, KnownMessage]) -> str:
    """Of its reply: what is known or named, else that of its body."""
    message = known.get(message_id)
    if message is not None and message.reply is not None:
        return message.reply.format
    return named or request_type(message_id, named, known).format


def _nobody_says(message_id: int, known: Mapping[int, KnownMessage]) -> str:
    if not known or message_id in known:
        way = f"name it by --format {'|'.join(FORMATS)}"
        return f"no daemon at hand tells how message ID {message_id} is written: {way}"
    return f"the daemon has no handler for message ID {message_id}; it has: {_listed(known)}"


def _listed(known: Mapping[int, KnownMessage]) -> str:
    names = [f"{message.id} {message.name}" for message in known.values()]
    return ", ".join([*names[:_MOST], "…"] if len(names) > _MOST else names)
