"""The clients: a process of their own, so that they share no lock with what drives the daemon.

    python -m benchmarks.moving.clients 127.0.0.1:9000 500 0.1

Each connection sends a message, waits for the reply, thinks for a while, sends the next. Every reply is checked: its
sequence number is the one that was sent, its body the same bytes, and behind them the pid of the worker whose handler
has answered. The process obeys JSON lines from standard input, one answer each: label, connect, settle, finish.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import socket
import struct
import sys
import time
import zlib
from array import array
from collections import deque
from typing import Any, Final

HEADER: Final = struct.Struct(">IIII")  # length, id, sequence, crc32: layout standard
PID: Final = struct.Struct(">I")
MESSAGE_ID: Final = 1
GO_AWAY: Final = (1 << 32) - 2
PAD: Final = 48  # bytes of a body
SETTLE: Final = 10.0  # seconds for everybody to get more replies; a client that gets none has lost something
MORE: Final = 2  # replies after which a client has settled
_NOBODY: Final = 0


@dataclasses.dataclass(slots=True, eq=False)
class Peer:
    """One connection. `sequence`: of the last message; `replies`: how many have come; `server`: who sent the last."""

    number: int
    socket: socket.socket
    sequence: int = 0
    replies: int = 0
    sent_at: float = 0.0
    waiting: bytes = b""
    buffer: bytes = b""
    server: int = _NOBODY
    told: bool = False
    fault: str = ""


class Clients:
    """All of them. Faults are `doubled`, `reordered`, `changed`; who has ended stands in `ended`."""

    def __init__(self, address: str, count: int, think: float) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._count = count
        self._think = think
        self._epoll = select.epoll()
        self._peers: dict[int, Peer] = {}
        self._due: deque[tuple[float, Peer]] = deque()  # the time of thought is the same for all: so it is ordered
        self._made = 0
        self._stopping = False
        self._faults = {"doubled": 0, "reordered": 0, "changed": 0, "lost": 0}
        self._ended: list[Peer] = []
        self._disconnects = 0
        self._label = "before"
        self._pauses: dict[str, array[float]] = {}
        self._longest = 0.0
        self._commands = b""

    def run(self) -> None:
        """Obey until standard input ends."""
        os.set_blocking(0, False)
        self._epoll.register(0, select.EPOLLIN)
        while self._turn():
            pass

    def _turn(self) -> bool:
        now = time.monotonic()
        timeout = max(0.0, min(0.1, self._due[0][0] - now)) if self._due else 0.1
        for fd, _ in self._epoll.poll(timeout):
            if fd == 0:
                if not self._read_commands():
                    return False
            elif (peer := self._peers.get(fd)) is not None:
                self._read(peer)
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            self._send(self._due.popleft()[1])
        return True

    # -- commands ------------------------------------------------------------------------------------------

    def _read_commands(self) -> bool:
        data = os.read(0, 65536)
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            answer = getattr(self, "do_" + command.pop("do"))(**command)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        return bool(data)

    def do_label(self, name: str) -> dict[str, Any]:
        """Pauses that end from now on count there; tells the longest one until now."""
        longest, self._longest, self._label = self._longest, 0.0, name
        return {"longest": longest}

    def do_connect(self) -> dict[str, Any]:
        """Have as many connections as there shall be."""
        new = self._count - len(self._peers)
        for _ in range(new):
            sock = socket.create_connection(self._address, timeout=10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            self._made += 1
            peer = Peer(self._made, sock)
            self._peers[sock.fileno()] = peer
            self._epoll.register(sock, select.EPOLLIN)
            self._due.append((0.0, peer))
        self._due = deque(sorted(self._due, key=lambda one: one[0]))
        return {"new": new}

    def do_settle(self) -> dict[str, Any]:
        """Wait until all that live have got more replies; tells who has ended since the last time."""
        wanted = {peer: peer.replies + MORE for peer in self._peers.values()}
        deadline = time.monotonic() + SETTLE
        while wanted and time.monotonic() < deadline and self._turn():
            wanted = {
                peer: replies
                for peer, replies in wanted.items()
                if peer.replies < replies and self._peers.get(peer.socket.fileno()) is peer
            }
        self._faults["lost"] += len(wanted)
        for peer in wanted:
            self._forget(peer)
        ended, self._ended = self._ended, []
        return {"ended": [peer.server for peer in ended], "silent": len(wanted)}

    def do_finish(self) -> dict[str, Any]:
        """Send no more, wait for what is under way, and tell everything."""
        self._stopping = True
        deadline = time.monotonic() + SETTLE
        while any(peer.waiting for peer in self._peers.values()) and time.monotonic() < deadline and self._turn():
            pass
        self._faults["lost"] += sum(bool(peer.waiting) for peer in self._peers.values())
        return {
            "faults": self._faults,
            "disconnects": self._disconnects,
            "pauses": {label: percentiles(pauses) for label, pauses in self._pauses.items()},
        }

    # -- messages ------------------------------------------------------------------------------------------

    def _send(self, peer: Peer) -> None:
        if self._stopping or peer.socket.fileno() < 0:
            return
        peer.sequence += 1
        body = (b"%d %d " % (peer.number, peer.sequence)).ljust(PAD, b".")
        peer.waiting = body
        peer.sent_at = time.monotonic()
        with contextlib.suppress(OSError):  # reading says how it ended
            peer.socket.send(HEADER.pack(len(body), MESSAGE_ID, peer.sequence, zlib.crc32(body)) + body)

    def _read(self, peer: Peer) -> None:
        try:
            data = peer.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._disconnects += 1
            self._ended.append(peer)
            self._forget(peer)
            return
        peer.buffer += data
        while len(peer.buffer) >= HEADER.size:
            size, message_id, sequence, crc = HEADER.unpack_from(peer.buffer)
            end = HEADER.size + size
            if len(peer.buffer) < end:
                return
            body, peer.buffer = peer.buffer[HEADER.size : end], peer.buffer[end:]
            if message_id != GO_AWAY:
                self._take(peer, sequence, body, whole=zlib.crc32(body) == crc)

    def _take(self, peer: Peer, sequence: int, body: bytes, *, whole: bool) -> None:
        if sequence != peer.sequence or not peer.waiting:
            self._faults["doubled" if sequence <= peer.sequence else "reordered"] += 1
            return
        if not whole or body[: -PID.size] != peer.waiting:
            self._faults["changed"] += 1
        now = time.monotonic()
        pause = now - peer.sent_at
        self._pauses.setdefault(self._label, array("d")).append(pause)
        self._longest = max(self._longest, pause)
        (peer.server,) = PID.unpack(body[-PID.size :])
        peer.replies += 1
        peer.waiting = b""
        self._due.append((now + self._think, peer))

    def _forget(self, peer: Peer) -> None:
        del self._peers[peer.socket.fileno()]
        peer.socket.close()  # which ends its registration, too


def percentiles(pauses: array[float]) -> dict[str, float]:
    """How many, and how long in seconds."""
    ordered = sorted(pauses)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}
    return {"count": float(len(ordered))} | {name: ordered[round(last * share)] for name, share in shares.items()}


if __name__ == "__main__":
    Clients(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])).run()
