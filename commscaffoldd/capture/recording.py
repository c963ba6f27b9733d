"""A capture as something that can be played: connections, what each sent, and what it was sent back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct, field

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.filter import CaptureFilter, peer_matcher
from commscaffoldd.capture.pairing import Pairing
from commscaffoldd.capture.reader import CaptureReader
from commscaffoldd.capture.records import Closed, Known, Lost, Received, Sent, Spoken
from commscaffoldd.core.layout import PRESETS, Layout, LayoutError

UNKNOWN: Final = "?"
"""Peer and listener of a connection whose record is missing."""
_Wanted: TypeAlias = Known | Received | Sent | Closed
_WANTED: Final = (Known, Received, Sent, Closed, Lost)


class Step(Struct, eq=False):
    """A message that a client sent.

    Attributes:
        number: its record's, from 1.
        message: the message.
        replies: what it was answered with.
    """

    number: int
    message: Received
    replies: list[Sent] = field(default_factory=list)


class RecordedConnection(Struct, eq=False):
    """One connection.

    Attributes:
        id, peer, listen: as in its record.
        layout: the name of the layout that it spoke.
        steps: what it sent, in order.
        replied: whether anything was recorded that it was sent.
        opened: whether its beginning was recorded.
        closed: when and why it ended; `None` if it outlived the capture.
    """

    id: str
    peer: str = UNKNOWN
    listen: str = UNKNOWN
    layout: str = ""
    steps: list[Step] = field(default_factory=list)
    replied: bool = False
    opened: bool = False
    closed: Closed | None = None


class Recording(Struct, eq=False):
    """What a capture has of clients' messages.

    Attributes:
        path: the file.
        connections: those that sent something, by ID, in the order of their first message.
        spoken: what was spoken at the listeners, by address.
        filter: what the capture was to have.
        lost: how many records it misses.
        note: that the file is cut off; empty if it is not.
    """

    path: Path
    connections: dict[str, RecordedConnection]
    spoken: dict[str, Spoken]
    filter: CaptureFilter = CaptureFilter()
    lost: int = 0
    note: str = ""

    @property
    def messages(self) -> int:
        """How many there are to be played."""
        return sum(len(one.steps) for one in self.connections.values())

    def timeline(self) -> Iterator[tuple[RecordedConnection, Step]]:
        """All steps in the order of their time."""
        steps = [(one, step) for one in self.connections.values() for step in one.steps]
        return iter(sorted(steps, key=lambda pair: (pair[1].message.time, pair[1].number)))


def load_recording(path: Path, ids: Collection[int] = (), peer: str = "", listen: str = "") -> Recording:
    """Read a capture into memory.

    Args:
        path: the file.
        ids: only messages with these IDs; none: all.
        peer: only this peer's, as `CaptureFilter.peer`.
        listen: only of connections that came in by this configured address; empty: by any.

    Raises:
        OSError: it cannot be read.
        CaptureError: it is no capture, is damaged, or has nothing that clients sent.
        ValueError: `peer` is nothing that is allowed.
    """
    matches = peer_matcher(peer)
    with CaptureReader(path) as capture:
        spoken = {one.listen: one for one in capture.header.spoken}
        _check_layouts(path, spoken.values())
        # Different workers' records are mixed as they came; a connection that moved has some of each.
        numbered = sorted(_numbered(capture), key=lambda pair: (pair[1].time, pair[0]))
        wanted, note = capture.header.filter, capture.describe_end()
    loader = _Loader(spoken, frozenset(ids))
    for number, record in numbered:
        if isinstance(record, Lost):
            loader.lost += record.count
        else:
            loader.enter(number, record)
    connections = {
        one.id: one
        for one in loader.found.values()
        if one.steps and (not listen or one.listen == listen) and (not peer or matches(one.peer))
    }
    if not connections:
        what = "nothing in it that a client sent" + (", and that is wanted" if ids or peer or listen else "")
        raise CaptureError(f"{path}: there is {what}")
    return Recording(path, connections, spoken, wanted, loader.lost, note)


def _check_layouts(path: Path, spoken: Iterable[Spoken]) -> None:
    for one in spoken:
        try:
            one.to_layout()
        except LayoutError as error:
            raise CaptureError(f"{path}: record 1: layout {one.layout!r} of {one.listen!r}: {error}") from None


def layout_of(one: RecordedConnection, spoken: Mapping[str, Spoken]) -> Layout:
    """The layout that a connection spoke; `standard` if nothing says which."""
    there = spoken.get(one.listen)
    if there is not None:
        return there.to_layout()
    return PRESETS.get(one.layout, PRESETS["standard"])


class _Loader:
    """Puts records together."""

    def __init__(self, spoken: Mapping[str, Spoken], ids: frozenset[int]) -> None:
        self._spoken = spoken
        self._ids = ids
        self._pairings: dict[str, Pairing] = {}
        self.found: dict[str, RecordedConnection] = {}
        self.lost = 0

    def enter(self, number: int, record: _Wanted) -> None:
        """Take one record."""
        one = self.found.get(record.connection)
        if one is None:
            one = self.found[record.connection] = RecordedConnection(record.connection)
        if isinstance(record, Known):
            one.peer, one.listen, one.layout = record.peer, record.listen, record.layout
            one.opened = one.opened or record.opened
        elif isinstance(record, Closed):
            one.closed = record
        elif isinstance(record, Sent):
            one.replied = True
            index = self._pairing(one).answered(record.id, record.sequence, record.body)
            if index is not None:
                one.steps[index].replies.append(record)
        elif not self._ids or record.id in self._ids:
            self._pairing(one).ask(len(one.steps), record.id, record.sequence)
            one.steps.append(Step(number, record))

    def _pairing(self, one: RecordedConnection) -> Pairing:
        if one.id not in self._pairings:
            self._pairings[one.id] = Pairing(layout_of(one, self._spoken))
        return self._pairings[one.id]


def _numbered(capture: CaptureReader) -> Iterator[tuple[int, _Wanted | Lost]]:
    for record in capture:
        if isinstance(record, _WANTED):
            yield capture.number, record
