"""Deadlines of connections: frames not finished, clients that do not read or log in, endings that take too long.

Only connections with something running are in here, so thousands of idle ones cost nothing.
"""

from __future__ import annotations

from commscaffoldd.core.slot import Slot

SHORTEST_LOOK = 0.02  # seconds between two looks, at least
LONGEST_LOOK = 0.25
LOOKS = 20  # looks in the shortest timeout: how exact the timeouts are


class Deadlines:
    """The engine's timers. The reactor's thread, but for `watch_slow`."""

    def __init__(self, frame_timeout: float, slow_reader_timeout: float, login_timeout: float = 0.0) -> None:
        """Timeouts in seconds; `login_timeout` 0: nobody need log in, or in no time."""
        self._frame_timeout = frame_timeout
        self.slow_reader_timeout = slow_reader_timeout
        self.login_timeout = login_timeout
        shortest = min(frame_timeout, slow_reader_timeout, login_timeout or slow_reader_timeout)
        self._every = min(max(shortest / LOOKS, SHORTEST_LOOK), LONGEST_LOOK)
        self._next_look = 0.0
        self.frames: dict[Slot, float] = {}  # when the incomplete frame began
        self._slow: set[Slot] = set()
        self._logins: dict[Slot, float] = {}  # since when a login is awaited
        self._ends: dict[Slot, float] = {}  # when the ending must be over

    def begin_frame(self, slot: Slot, now: float, *, again: bool) -> None:
        """A frame has begun and is not complete; `again`: another one than at the last call."""
        if again or slot not in self.frames:
            self.frames[slot] = now

    def end_frame(self, slot: Slot) -> None:
        """No frame is incomplete now."""
        self.frames.pop(slot, None)

    def restart_frame(self, slot: Slot, now: float) -> None:
        """The connection is read from again: the time in which it was not does not count."""
        if slot in self.frames:
            self.frames[slot] = now

    def watch_slow(self, slot: Slot) -> None:
        """More waits for this client than `send_buffer`. Any thread."""
        self._slow.add(slot)

    def await_login(self, slot: Slot, since: float) -> None:
        """The connection shall log in in time; nothing, if there is no limit."""
        if self.login_timeout:
            self._logins[slot] = since

    def begin_end(self, slot: Slot, now: float, limit: float) -> None:
        """The connection is ending: it shall be over in `limit` seconds."""
        self.frames.pop(slot, None)
        self._logins.pop(slot, None)
        self._ends[slot] = now + limit

    def forget(self, slot: Slot) -> None:
        """The connection has been closed."""
        self.frames.pop(slot, None)
        self._slow.discard(slot)
        self._logins.pop(slot, None)
        self._ends.pop(slot, None)

    def wait(self, now: float) -> float:
        """Seconds after which to look again; infinite if nothing runs."""
        if not (self.frames or self._slow or self._logins or self._ends):
            return float("inf")
        return max(self._next_look - now, 0.0)

    def due(self, now: float) -> bool:
        """Whether it is time to look; if so, the next look is set."""
        if now < self._next_look:
            return False
        self._next_look = now + self._every
        return True

    def late_frames(self, now: float) -> list[Slot]:
        """Connections whose incomplete frame is older than the frame timeout."""
        limit = now - self._frame_timeout
        # A connection that is not read from cannot finish its frame.
        return [slot for slot, began in self.frames.items() if began < limit and not slot.paused]

    def slow_readers(self, now: float) -> list[Slot]:
        """Connections over `send_buffer` for longer than the slow reader timeout."""
        late = []
        for slot in tuple(self._slow):
            since = slot.over_since
            if not since:
                self._slow.discard(slot)
                if slot.over_since:  # crossed again between the look and the removal
                    self._slow.add(slot)
            elif now - since > self.slow_reader_timeout:
                late.append(slot)
        return late

    def late_logins(self, now: float) -> list[Slot]:
        """Connections with which nobody has logged in in time; forgets those with which somebody has."""
        late = []
        for slot, since in tuple(self._logins.items()):
            if slot.connection is not None and slot.connection.user is not None:
                del self._logins[slot]
            elif now - since > self.login_timeout:
                late.append(slot)
        return late

    def over_send_buffer(self) -> tuple[Slot, ...]:
        """Connections that are, or were until a moment ago, over `send_buffer`."""
        return tuple(self._slow)

    def overdue_ends(self, now: float) -> list[Slot]:
        """Connections that should have ended by now."""
        return [slot for slot, deadline in self._ends.items() if deadline < now]
