"""Scripts of what happens to an engine, and what comes of one: to play the same on two engines and compare.

After each step the engine is polled until nothing happens any more, so what is seen does not depend on time.
How much a full socket takes does depend on how it was sent to. So either nothing waits, or far too much: with
`BIG` as the only body that does not fit a socket, all limits are crossed by a wide margin, or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from commscaffoldd.core import reasons
from commscaffoldd.core.layout import PRESETS, Layout
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from tests.core.engine_rig import socket_of
from tests.core.layouts import pieces

Step: TypeAlias = tuple[str, int, Any]
"""What happens, to which client, and how."""

CLIENTS: Final = 3
PER_CONNECTION: Final = 4
SEND_BUFFER: Final = 1_000_000
BIG: Final = 1_500_000  # over send_buffer, two of them over the hard limit, whatever the kernel takes
MAX_BODY: Final = 6000  # of what clients send: above and below what the native engine keeps in one piece
WORK: Final = Request(None, 1, 0, b"", Route(1, lambda _: None, "", "", "pool"))  # type: ignore[arg-type]


@st.composite
def streams(draw: Any, layout: Layout) -> list[bytes]:
    """What a client sends, in the pieces in which it sends it."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        size = draw(st.sampled_from((0, 1, 20, 4000, 5000, MAX_BODY)))
        kind = draw(st.sampled_from(("frame", "frame", "frame", "frame", "begun", "changed", "strange", "too large")))
        message_id = draw(st.integers(0, min(layout.max_id, 1 << 32))) if layout.has_id else 0
        frame = bytearray(layout.encode(message_id, draw(st.integers(0, 9)) * layout.has_sequence, bytes(size)))
        if kind == "begun":
            del frame[draw(st.integers(1, len(frame))) :]
        elif kind == "changed":
            frame[draw(st.integers(0, len(frame) - 1))] ^= draw(st.integers(1, 255))
        elif kind == "strange":
            frame[:] = draw(
                st.sampled_from((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n"))
            )
        elif kind == "too large":
            frame[:] = layout.encode(message_id, 0, bytes(MAX_BODY + 1))
        parts.append(bytes(frame))
    return pieces(b"".join(parts), draw(st.lists(st.integers(0, 1 << 16), max_size=4)))


@st.composite
def scripts(draw: Any) -> tuple[str, list[Step]]:
    """A layout's name, and a script for it."""
    name = draw(st.sampled_from(("standard", "compact", "zinx-ltv", "erlang")))
    send = st.tuples(st.just("send"), st.integers(0, CLIENTS - 1), streams(PRESETS[name]))
    big = name != "compact"  # its length has two bytes
    reply = st.tuples(st.just("reply"), st.integers(0, CLIENTS - 1), st.sampled_from((0, 10, 4096, 20_000)))
    other = st.tuples(
        st.sampled_from(
            (
                *("open", "read", "half_close", "abort", "leave", "push", "close_by_plugin", "close_soon"),
                *("drain", "stop", "close", "handle", "handled", "overload", "relieve", "park", "stop_reading"),
                *(
                    "go_on_reading",
                    "small_budget",
                    "recycle",
                    *(("big_reply", "big_reply", "read_one_big") if big else ()),
                ),
            )
        ),
        st.integers(0, CLIENTS - 1),
        st.none(),
    )
    opening: list[Step] = [("open", client, None) for client in range(draw(st.integers(1, CLIENTS)))]
    return name, opening + draw(st.lists(st.one_of(send, send, reply, other, other), max_size=25))


class Player:
    """Plays a script on the engine of a rig, and writes down what comes of it."""

    def __init__(self, rig: Any, connect: Callable[[], socket.socket]) -> None:
        self.rig = rig
        self.engine = rig.engine
        self.layout = rig.endpoint.layout
        self._connect = connect
        self._clients: dict[int, tuple[socket.socket, Any, Any]] = {}  # socket, slot, connection
        self._got: dict[str, bytearray] = {}
        self._ends: dict[str, str] = {}  # how each connection ended, as its client sees it
        self._large: dict[str, int] = {}  # bytes that a client will have got once it has read its large replies
        self._told = 0

    # -- playing -------------------------------------------------------------------------------------------

    def play(self, steps: list[Step]) -> Iterator[tuple[Step, object]]:
        """Each step, and what is to be seen after it."""
        for step in [*steps, *(("read", client, None) for client in range(CLIENTS)), ("close_all", 0, None)]:
            name, client, how = step
            if name == "open":
                self._open(client)
            elif name in {"close_all", "stop_reading", "go_on_reading", "small_budget", "recycle"}:
                getattr(self, f"_{name}")()
            elif client in self._clients:
                getattr(self, f"_{name}")(*self._clients[client], *(() if how is None else (how,)))
            self._settle()
            yield step, self._look()

    def _settle(self) -> None:
        quiet = 0
        for _ in range(5000):
            before = self.engine.counters.polls
            batch = self.rig.poll(0.0 if not quiet else 0.001)
            happened = self.engine.counters.polls != before or batch.closed or batch.opened
            quiet = 0 if happened else quiet + 1
            if quiet > 1:
                return
        raise AssertionError("the engine finds no rest")

    # -- steps: everybody ----------------------------------------------------------------------------------

    def _open(self, client: int) -> None:
        if client in self._clients:
            sock, _, connection = self._clients.pop(client)
            self._take(sock, connection)
            sock.close()
            self._settle()
        sock = self._connect()
        sock.setblocking(False)
        before = len(self.rig.opened)
        self.rig.until(lambda: len(self.rig.opened) > before)
        slot = self.rig.opened[-1]
        if (connection := slot.connection) is None:  # with a budget of 0 it may be gone already
            sock.close()
            return
        self._got[connection.id] = bytearray()
        self._clients[client] = (sock, slot, connection)

    def _stop_reading(self) -> None:
        self.rig.budget = 0

    def _small_budget(self) -> None:
        self.rig.budget = 1
        self.engine.resume_all()

    def _go_on_reading(self) -> None:
        self.rig.budget = 1 << 30
        self.engine.resume_all()

    def _recycle(self) -> None:
        self.engine.pool.recycle(1e18)

    def _close_all(self) -> None:
        self.rig.closed += self.engine.close_all()

    # -- steps: the client's -------------------------------------------------------------------------------

    def _send(self, sock: socket.socket, _slot: Any, _connection: Any, parts: list[bytes]) -> None:
        for part in parts:
            with contextlib.suppress(OSError):  # gone, or full because it is not read from
                sock.send(part)
            self.rig.poll(0.0)

    def _read(self, sock: socket.socket, slot: Any, connection: Any) -> None:
        while self._take(sock, connection) or self._is_under_way(slot, connection):
            self._settle()

    def _read_one_big(self, sock: socket.socket, slot: Any, connection: Any) -> None:
        left = BIG + self.layout.header_size
        while left > 0 and ((taken := self._take(sock, connection, left)) or self._is_under_way(slot, connection)):
            left -= taken
            self._settle()

    def _is_under_way(self, slot: Any, connection: Any) -> bool:
        """Whether the server still sends: TCP moves what it holds when its window allows, not when we look."""
        if slot.connection is not connection or connection.id in self._ends:
            return False
        with socket_of(slot) as server:
            held = struct.unpack("i", fcntl.ioctl(server, termios.TIOCOUTQ, bytes(4)))[0]
        return bool(held) or slot.blocked

    def _take(self, sock: socket.socket, connection: Any, most: int = 1 << 30) -> int:
        got, name = self._got[connection.id], connection.id
        before = len(got)
        while name not in self._ends and len(got) - before < most:
            try:
                data = sock.recv(min(most - (len(got) - before), 65536))
            except BlockingIOError:
                break
            except OSError:
                self._ends[name] = "reset"
                break
            got += data
            if not data:
                self._ends[name] = "end"
        return len(got) - before

    def _half_close(self, sock: socket.socket, _slot: Any, _connection: Any) -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)

    def _leave(self, sock: socket.socket, _slot: Any, _connection: Any) -> None:
        sock.close()

    def _abort(self, sock: socket.socket, _slot: Any, _connection: Any) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()

    # -- steps: the daemon's -------------------------------------------------------------------------------

    def _reply(self, _sock: socket.socket, slot: Any, connection: Any, size: int) -> None:
        queued = slot.queue(connection.generation, (1 * self.layout.has_id, 0, bytes(size)))
        self.rig.unparked.append(("queued", queued))
        self.rig.flush(slot)

    def _big_reply(self, sock: socket.socket, slot: Any, connection: Any) -> None:
        self._large[connection.id] = self._large.get(connection.id, 0) + BIG
        self._reply(sock, slot, connection, BIG)

    def _push(self, _sock: socket.socket, slot: Any, connection: Any) -> None:
        for number in range(3):
            self.rig.unparked.append(("pushed", connection.send(1 * self.layout.has_id, b"push %d" % number)))
        self.rig.flush(slot)

    def _close_by_plugin(self, _sock: socket.socket, _slot: Any, connection: Any) -> None:
        connection.close("enough")

    def _close_soon(self, _sock: socket.socket, slot: Any, connection: Any) -> None:
        self.engine.close_soon(slot, connection.generation, "soon", drain=False)

    def _close(self, _sock: socket.socket, slot: Any, connection: Any) -> None:
        if slot.connection is connection:
            self.engine.close(slot, reasons.FLOOD, "too much")

    def _drain(self, _sock: socket.socket, slot: Any, connection: Any) -> None:
        if slot.connection is connection:
            self.engine.drain(slot, "drained", "by us")

    def _stop(self, _sock: socket.socket, slot: Any, connection: Any) -> None:
        if slot.connection is connection:
            self.engine.drain(slot, reasons.STOPPING)

    def _handle(self, _sock: socket.socket, slot: Any, _connection: Any) -> None:
        slot.try_own()

    def _handled(self, _sock: socket.socket, slot: Any, _connection: Any) -> None:
        if slot.owned:
            slot.disown()
        self.engine.check_if_draining(slot)

    def _overload(self, _sock: socket.socket, slot: Any, _connection: Any) -> None:
        slot.pending.extend([WORK] * (PER_CONNECTION + 1))

    def _relieve(self, _sock: socket.socket, slot: Any, _connection: Any) -> None:
        slot.pending.clear()
        self.engine.resume_if_few(slot)
        self.engine.check_if_draining(slot)

    def _park(self, _sock: socket.socket, slot: Any, _connection: Any) -> None:
        self.rig.unparked.append(("parked", slot.park(slot, SEND_BUFFER)))

    # -- what is to be seen --------------------------------------------------------------------------------

    def _look(self) -> object:
        counters, sent = self.engine.counters, self.rig.counters
        some = any(
            len(self._got[name]) < size for name, size in self._large.items()
        )  # not known exactly how much, in a full socket
        frames: dict[str, list[Any]] = {}
        for _, connection, arrived in self.rig.arrived:
            frames.setdefault(connection.id, []).extend(arrived)
        # Whether reading or sending finds a reset first depends on the kernel, and only one of them has a detail.
        closed = sorted(
            (connection.id, reason, "" if reason == reasons.PEER_RESET else detail)
            for _, connection, reason, detail in self.rig.closed[self._told :]
        )
        self._told = len(self.rig.closed)
        names = (
            "accepted",
            "closed",
            "messages_in",
            "bytes_in",
            "bad_frames",
            "bad_checksums",
            "slow_readers",
            "floods",
        )
        return {
            "frames": frames,
            "closed": closed,
            "counters": {name: getattr(counters, name) for name in names},
            "messages_out": "some" if some else counters.messages_out + sent.messages_out,
            "bytes_out": "some" if some else counters.bytes_out + sent.bytes_out,
            "gauges": self.engine.gauges(),
            "told": [one if isinstance(one, tuple) else one.index for one in self.rig.unparked],
            "flushes": [slot.index for slot in self.rig.flushes],
            "clients": {number: self._look_at(slot) for number, (_, slot, _) in self._clients.items()},
            "got": {name: bytes(got) for name, got in self._got.items()} if not some else "some",
            "ends": dict(self._ends),
        }

    def _look_at(self, slot: Any) -> object:
        if slot.connection is None:
            return repr(slot).replace("Native", ""), slot.messages_in, slot.messages_out
        waits = slot.unsent if not slot.blocked else (slot.unsent > SEND_BUFFER, slot.unsent > 2 * SEND_BUFFER)
        return {
            "slot": repr(slot).replace("Native", ""),
            "paused": slot.paused,
            "blocked": slot.blocked,
            "unsent": waits,
            "slow": bool(slot.over_since),
            "idle": slot.idle,
            "waiting": slot.waiting,
            "parked": len(slot.parked),
            "messages": (slot.messages_in, "some" if slot.blocked else slot.messages_out),
            "asked_to_end": slot.asked_to_end,
            "ending": (slot.end_reason, slot.end_detail),
            "incomplete": self.engine._incomplete(slot),
        }
