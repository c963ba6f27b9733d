"""The messages of the chat, and the hook that takes leave for clients that have gone."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from typing import Annotated

from msgspec import Meta, Struct

from commscaffoldd import Connection, Request, codec, handler, hookimpl

from .rooms import Member, RefusedError, Rooms

JOIN = 20
SAY = 21
LEAVE = 22
SAID = 23  # pushed
EVENT = 24  # pushed

MAX_ROOM = 64  # bytes
MAX_NAME = 255  # bytes: its length is sent as u8


class Settings(Struct, frozen=True):
    """The keys of `[plugin.chat]`."""

    max_text: Annotated[int, Meta(ge=1, le=32768)] = 1024
    max_rooms: Annotated[int, Meta(ge=1)] = 1000
    max_members: Annotated[int, Meta(ge=2)] = 1000


class Status(enum.IntEnum):
    """The first byte of a reply."""

    OK = 0
    REFUSED = 1
    MALFORMED = 3


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


class Happened(enum.IntEnum):
    """The first byte of an event."""

    JOINED = 1
    LEFT = 2


class Chat:
    """The plugin's state in one worker."""

    def __init__(self, settings: Settings) -> None:
        self._max_text = settings.max_text
        self._rooms = Rooms(settings.max_rooms, settings.max_members)

    @handler(JOIN)
    def join(self, request: Request) -> Answer:
        """Into a room, and out of the one before."""
        room = _text(request.body, MAX_ROOM)
        if room is None or not room.isprintable():
            return Answer(Status.MALFORMED, f"a room's name is 1 to {MAX_ROOM} bytes of UTF-8 in one line")
        connection = request.connection
        member = Member(connection, connection.session.get("user", connection.id))
        try:
            count = self._rooms.join(room, member, _joined, _left)
        except RefusedError as error:
            return Answer(Status.REFUSED, str(error))
        connection.session["room"] = room  # for the worker that goes on with it, if one does
        return Answer(Status.OK, f"{count} in the room")

    @handler(SAY)
    def say(self, request: Request) -> Answer:
        """A text for all others in the room."""
        if _text(request.body, self._max_text) is None:
            return Answer(Status.MALFORMED, f"a text is 1 to {self._max_text} bytes of UTF-8")

        def said(others: list[Member], speaker: Member) -> None:
            _push(others, SAID, _name(speaker) + request.body)

        try:
            count = self._rooms.tell(request.connection, said)
        except RefusedError as error:
            return Answer(Status.REFUSED, str(error))
        return Answer(Status.OK, f"said to {count}")

    @handler(LEAVE)
    def leave(self, request: Request) -> Answer:
        """Out of the room."""
        if not self._rooms.leave(request.connection, _left):
            return Answer(Status.REFUSED, "you are in no room")
        request.connection.session.pop("room", None)
        return Answer(Status.OK, "left")

    @hookimpl
    def connection_closed(self, connection: Connection) -> None:
        """Take leave for a client that has gone; runs after its last message, so it cannot join again."""
        self._rooms.leave(connection, _left)

    @hookimpl
    def connection_handing_over(self, connection: Connection) -> None:
        """Another worker goes on with this client. Nobody is told: it has not left the room."""
        self._rooms.leave(connection, _nobody_is_told)

    @hookimpl
    def connection_adopted(self, connection: Connection) -> None:
        """Go on with a client of another worker, in the room that it was in."""
        session = connection.session
        if room := session.get("room"):
            member = Member(connection, session.get("user", connection.id))
            with contextlib.suppress(RefusedError):  # others have filled it: then it is in no room
                self._rooms.join(room, member, _nobody_is_told, _nobody_is_told)


def _nobody_is_told(_members: list[Member], _who: Member) -> None: ...


def _joined(members: list[Member], who: Member) -> None:
    _push(members, EVENT, bytes([Happened.JOINED]) + _name(who))


def _left(members: list[Member], who: Member) -> None:
    _push(members, EVENT, bytes([Happened.LEFT]) + _name(who))


def _push(members: list[Member], message_id: int, body: bytes) -> None:
    for member in members:
        # False means that the member has gone: connection_closed, or connection_handing_over, comes for it.
        member.connection.send(message_id, body)


def _name(member: Member) -> bytes:
    # Cut between characters: half a character is no UTF-8.
    name = member.name.encode()[:MAX_NAME].decode(errors="ignore").encode()
    return bytes([len(name)]) + name


def _text(body: bytes, limit: int) -> str | None:
    if not 1 <= len(body) <= limit:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
