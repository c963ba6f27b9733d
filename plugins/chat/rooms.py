"""Who is in which room. Knows nothing of messages."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import TypeAlias

from commscaffoldd import Connection


class RefusedError(Exception):
    """Not allowed; the text, for the client, says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A connection in a room, under the name it had when it joined."""

    connection: Connection
    name: str


Tell: TypeAlias = Callable[[list[Member], Member], None]
"""Called with a room's members and the one whom it is about."""


class Rooms:
    """The rooms of one worker. Any thread may call.

    Members are told while the lock is held, so that all of them see joining, leaving and talk in one order; sending
    only queues, so the lock is not held for long.
    """

    def __init__(self, max_rooms: int, max_members: int) -> None:
        self._max_rooms = max_rooms
        self._max_members = max_members
        self._lock = threading.Lock()
        self._rooms: dict[str, dict[str, Member]] = {}
        self._room_of: dict[str, str] = {}

    def join(self, room: str, member: Member, joined: Tell, left: Tell) -> int:
        """Put a connection into a room, and out of the one it was in.

        Returns:
            How many are in the room now, with the new one.

        Raises:
            RefusedError: it is there already, the room is full, or there are too many rooms.
        """
        with self._lock:
            if self._room_of.get(member.connection.id) == room:
                raise RefusedError("you are in this room already")
            members = self._rooms.get(room)
            if members is None:
                if len(self._rooms) >= self._max_rooms:
                    raise RefusedError("there are too many rooms")
            elif len(members) >= self._max_members:
                raise RefusedError("the room is full")
            self._leave(member.connection, left)
            members = self._rooms.setdefault(room, {})
            joined(list(members.values()), member)
            members[member.connection.id] = member
            self._room_of[member.connection.id] = room
            return len(members)

    def leave(self, connection: Connection, left: Tell) -> bool:
        """Take a connection out of its room; `False` if it is in none."""
        with self._lock:
            return self._leave(connection, left)

    def tell(self, connection: Connection, tell: Tell) -> int:
        """Tell the other members of a connection's room something.

        Returns:
            How many they are.

        Raises:
            RefusedError: the connection is in no room.
        """
        with self._lock:
            room = self._room_of.get(connection.id)
            if room is None:
                raise RefusedError("join a room first")
            members = self._rooms[room]
            others = [member for key, member in members.items() if key != connection.id]
            tell(others, members[connection.id])
            return len(others)

    def _leave(self, connection: Connection, left: Tell) -> bool:
        room = self._room_of.pop(connection.id, None)
        if room is None:
            return False
        members = self._rooms[room]
        member = members.pop(connection.id)
        if members:
            left(list(members.values()), member)
        else:
            del self._rooms[room]
        return True
