"""Connections on their way out of this worker: from "another worker shall have it" to "it has it", or "it stays".

The reactor's thread does all of it. A connection leaves between two messages: what runs is finished here, what waits
goes along. Nothing is lost if it stays after all: what is sent to the other worker is a copy until it is confirmed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.engine import Engine
from commscaffoldd.core.framing import Frame
from commscaffoldd.core.moving import ConnectionState, Snapshot
from commscaffoldd.core.path import PathDispatcher
from commscaffoldd.core.request import LifecycleCall, Work
from commscaffoldd.core.route import Route
from commscaffoldd.core.session import SessionError, pack_session, pack_user
from commscaffoldd.core.slot import Ready, Reply, Slot, State

RECLAIM: Final = 0.02  # seconds between two looks at what waits for a business thread


class Departing(Struct, eq=False):
    """A connection that shall leave.

    Attributes:
        slot, connection: which one.
        since: when it was held, in seconds of CLOCK_MONOTONIC.
        held: the right to run its messages is ours.
        told: plugins know that it leaves.
        frozen: nothing happens to it any more here; what is `queued` for it is in its state.
        parked: its work that waits until the client reads, or for a business thread.
        close: once it has gone: why it shall be closed, or empty; asked for here after its state had been taken.
    """

    slot: Slot
    connection: Connection
    since: float
    held: bool = False
    told: bool = False
    frozen: bool = False
    queued: int = 0
    parked: list[Ready] = field(default_factory=list)
    close: str = ""


class Prepared(Struct):
    """A connection that is ready to travel: its descriptor, which stays ours, and its state."""

    departing: Departing
    fd: int
    state: ConnectionState


class Kept(Struct):
    """A connection that stays, and why; empty if it has ended, or is ending, by itself."""

    departing: Departing
    reason: str


class Departures:
    """Takes connections out, one by one. See the module's text."""

    def __init__(
        self, engine: Engine, dispatcher: PathDispatcher, handing_over: Route | None, adopted: Route | None
    ) -> None:
        """Departures of one worker.

        Args:
            engine: has the slots.
            dispatcher: gives held slots here.
            handing_over: calls the plugins' hook before a connection leaves; `None`: there is none.
            adopted: calls it for a connection that stays after that.
        """
        self._engine = engine
        self._dispatcher = dispatcher
        self._handing_over = handing_over
        self._adopted = adopted
        self._preparing: dict[Slot, Departing] = {}
        self._next_reclaim = 0.0

    @property
    def preparing(self) -> int:
        """How many have begun, and are not prepared yet."""
        return len(self._preparing)

    def begin(self, slot: Slot) -> Departing | None:
        """Let this one leave; `None` if it is ending."""
        connection = slot.connection
        if connection is None or not self._engine.hold(slot):
            return None
        departing = Departing(slot, connection, time.monotonic())
        self._preparing[slot] = departing
        return departing

    def step(self) -> list[Prepared | Kept]:
        """Those of which something has become since the last call."""
        for slot in self._dispatcher.held:
            if slot in self._preparing:
                self._preparing[slot].held = True
            else:  # it stays: somebody gave it back before he knew
                self._dispatcher.go_on(slot)
        self._dispatcher.held.clear()
        self._reclaim(time.monotonic())
        results = [result for one in list(self._preparing.values()) if (result := self._advance(one)) is not None]
        for result in results:
            self._preparing.pop(result.departing.slot, None)
        return results

    def confirm(self, departing: Departing) -> list[Reply]:
        """The other worker has it. Gives what was queued here after its state had been taken."""
        slot = departing.slot
        late = self._engine.seal(slot, departing.queued)
        self._dispatcher.forget(slot)
        slot.disown()
        departing.close = self._engine.release(slot)
        return late

    def withdraw(self, slot: Slot) -> bool:
        """Let one stay that is not prepared yet; `False` if it was not leaving."""
        departing = self._preparing.get(slot)
        if departing is None:
            return False
        self.cancel(departing)
        return True

    def cancel(self, departing: Departing) -> None:
        """It stays, and goes on as if nothing had been."""
        slot = departing.slot
        self._preparing.pop(slot, None)
        gone = slot.generation != departing.connection.generation
        tell_again = departing.told and self._adopted is not None and not gone
        slot.leaving = False
        if departing.frozen:
            self._engine.thaw(slot)
        elif not gone:
            self._engine.let_go(slot)
        for work in departing.parked:
            self._engine.unpark(work)
        if tell_again and self._adopted is not None:
            call = LifecycleCall(departing.connection, "", self._adopted)
            if departing.held:
                self._dispatcher.run_first(slot, call)
            else:  # somebody runs it, perhaps the hook that it leaves: behind what waits, then
                self._dispatcher.submit(slot, [call])
        elif departing.held:
            self._dispatcher.go_on(slot)

    def _reclaim(self, now: float) -> None:
        """Take those that wait for a business thread: the threads may all be busy for long."""
        if now < self._next_reclaim or all(one.held for one in self._preparing.values()):
            return
        self._next_reclaim = now + RECLAIM
        for work in self._dispatcher.reclaim():
            one = self._preparing.get(work[0] if isinstance(work, tuple) else work)
            if one is None:
                self._engine.unpark(work)
            elif isinstance(work, tuple):
                one.parked.append(work)
            else:  # with it comes the right to run its messages
                one.held = True

    def _advance(self, one: Departing) -> Prepared | Kept | None:
        slot = one.slot
        if slot.generation != one.connection.generation or slot.state is not State.OPEN or one.connection.closing:
            return self._keep(one, "")
        self._try_hold(one)
        if not one.held or slot.running_concurrent > len(one.parked) or self._tell_plugins(one):
            return None
        try:
            session, user = pack_session(one.connection.session), pack_user(one.connection.user)
        except SessionError as error:
            return self._keep(one, str(error))
        return self._freeze(one, session, user)

    def _freeze(self, one: Departing, session: bytes, user: bytes) -> Prepared | None:
        snapshot = self._engine.freeze(one.slot)
        if snapshot is None:
            return None
        one.frozen, one.queued = True, snapshot.queued
        return Prepared(one, snapshot.fd, _state(one, snapshot, session, user))

    def _tell_plugins(self, one: Departing) -> bool:
        """Have hooks run that come before the departure; give whether there are any."""
        slot = one.slot
        if slot.pending and isinstance(slot.pending[0], LifecycleCall):
            self._dispatcher.go_on(slot)
        elif self._handing_over is not None and not one.told:
            self._dispatcher.run_first(slot, LifecycleCall(one.connection, "", self._handing_over))
            one.told = True
        else:
            return False
        one.held = False
        return True

    def _try_hold(self, one: Departing) -> None:
        slot = one.slot
        for work in slot.take_parked():
            if work is slot:  # with it comes the right to run its messages
                one.held = True
            else:
                one.parked.append(work)
        one.held = one.held or slot.try_own()

    def _keep(self, one: Departing, reason: str) -> Kept:
        self.cancel(one)
        return Kept(one, reason)


def _state(one: Departing, snapshot: Snapshot, session: bytes, user: bytes) -> ConnectionState:
    slot, connection = one.slot, one.connection
    return ConnectionState(
        id=connection.id,
        peer=connection.peer,
        opened_at=slot.opened_at,
        last_seen=slot.last_seen + time.monotonic() - one.since,  # it was not silent: we did not listen
        tokens=slot.tokens,
        tokens_at=slot.tokens_at,
        messages_in=slot.messages_in,
        messages_out=slot.messages_out + snapshot.queued,
        received=snapshot.received,
        messages=[*_messages(work[1] for work in one.parked if isinstance(work, tuple)), *_messages(slot.pending)],
        unsent=snapshot.unsent,
        session=session,
        user=user,
        login_since=connection.login_since,
    )


def _messages(requests: Iterable[Work]) -> list[Frame]:
    return [(one.id, one.sequence, one.body) for one in requests if not isinstance(one, LifecycleCall)]
