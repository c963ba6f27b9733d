"""A load for a running daemon: many connections, each with messages in flight, every reply checked.

    python benchmarks/load.py 127.0.0.1:9000 --connections 5000 --in-flight 1 --seconds 30

Each connection sends frames of the `standard` layout to an echoing handler, each with a body of its own, and expects
the very same frames back in the same order: a lost, doubled, reordered or foreign reply is an error, and so is a
connection that ends. One process, one epoll loop; it shares the machine with the daemon, so rates are a lower bound.
Numbers of processes (memory, batches) come from `commscaffoldd status --json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import select
import socket
import subprocess
import sys
import time
import zlib
from array import array
from collections import deque
from struct import Struct
from typing import Any

HEADER = Struct(">IIII")  # length, id, sequence, crc32
STEP = 250  # connections opened at a time, so that no backlog overflows
QUIET_LIMIT = 10.0  # seconds without any reply after which the load gives up


@dataclasses.dataclass(slots=True)
class Peer:
    """One connection of the load."""

    number: int
    socket: socket.socket
    sent: int = 0
    received: int = 0
    waiting: deque[tuple[float, bytes]] = dataclasses.field(default_factory=deque)
    rest: bytes = b""


class Load:
    """Drives all connections."""

    def __init__(self, address: str, message_id: int, size: int) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._id = message_id
        self._size = size
        self._epoll = select.epoll()
        self._peers: dict[int, Peer] = {}
        self.latencies = array("d")
        self.errors: list[str] = []
        self.messages = 0

    def connect(self, connections: int) -> float:
        """Open the connections; returns the seconds that it took."""
        began = time.perf_counter()
        for number in range(connections):
            client = socket.create_connection(self._address, timeout=10)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            self._peers[client.fileno()] = Peer(number, client)
            self._epoll.register(client.fileno(), select.EPOLLIN)
            if number % STEP == STEP - 1:
                time.sleep(0.01)
        return time.perf_counter() - began

    def run(self, in_flight: int, seconds: float) -> float:
        """Send and check for so long, then wait for what is under way; returns the seconds of sending."""
        began = time.perf_counter()
        end = began + seconds
        for peer in self._peers.values():
            self._send(peer, in_flight)
        last_reply = time.perf_counter()
        while (now := time.perf_counter()) < end:
            if self._turn(sending=True):
                last_reply = now
            elif now - last_reply > QUIET_LIMIT:
                self.errors.append(f"no reply for {QUIET_LIMIT:g} s")
                break
        sent_for = time.perf_counter() - began
        drain_until = time.perf_counter() + QUIET_LIMIT
        while any(peer.waiting for peer in self._peers.values()) and time.perf_counter() < drain_until:
            self._turn(sending=False)
        lost = sum(len(peer.waiting) for peer in self._peers.values())
        if lost:
            self.errors.append(f"{lost} replies never came")
        return sent_for

    def close(self) -> None:
        """Close all connections."""
        for peer in self._peers.values():
            peer.socket.close()
        self._epoll.close()

    def _turn(self, *, sending: bool) -> bool:
        events = self._epoll.poll(0.2, 1024)
        for fd, _ in events:
            peer = self._peers[fd]
            try:
                data = peer.socket.recv(262144)
            except OSError as error:
                data = b""
                self.errors.append(f"connection {peer.number}: {error}")
            if not data:
                self.errors.append(f"connection {peer.number} was closed after {peer.received} replies")
                self._epoll.unregister(fd)
                peer.waiting.clear()
                continue
            answered = self._check(peer, peer.rest + data)
            if sending and answered:
                self._send(peer, answered)
        return bool(events)

    def _check(self, peer: Peer, data: bytes) -> int:
        """Compare what came with what was sent; returns the number of replies."""
        now = time.perf_counter()
        start = answered = 0
        while peer.waiting:
            sent_at, frame = peer.waiting[0]
            if len(data) - start < len(frame):
                break
            if data[start : start + len(frame)] != frame:
                self.errors.append(f"connection {peer.number}: reply {peer.received} is not what was sent")
                peer.waiting.clear()
                self._epoll.unregister(peer.socket.fileno())
                return 0
            peer.waiting.popleft()
            self.latencies.append(now - sent_at)
            start += len(frame)
            answered += 1
        peer.rest = data[start:]
        peer.received += answered
        self.messages += answered
        return answered

    def _send(self, peer: Peer, count: int) -> None:
        frames = []
        now = time.perf_counter()
        for _ in range(count):
            body = b"%d/%d " % (peer.number, peer.sent)
            body += b"." * (self._size - len(body))
            frame = HEADER.pack(len(body), self._id, peer.sent & 0xFFFFFFFF, zlib.crc32(body)) + body
            peer.waiting.append((now, frame))
            frames.append(frame)
            peer.sent += 1
        data = b"".join(frames)
        sent = peer.socket.send(data)
        if sent != len(data):  # a closed loop of small messages never fills a socket's buffer
            self.errors.append(f"connection {peer.number}: the socket took {sent} of {len(data)} bytes")


def percentile(ordered: list[float], share: float) -> float:
    """A percentile of sorted values, in milliseconds."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else 0.0


def status(command: str | None) -> dict[str, Any] | None:
    """The daemon's own numbers, if a command is given that prints them."""
    if not command:
        return None
    done = subprocess.run(command.split(), check=True, capture_output=True)  # the user's own command
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def resident(answer: dict[str, Any] | None) -> int:
    """KiB of memory of all workers."""
    return sum(worker["rss"] for worker in answer["workers"]) // 1024 if answer else 0


def main() -> int:
    """Run the load and print what came out."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("address", help="HOST:PORT of a listener with the standard layout")
    options.add_argument("--connections", type=int, default=50)
    options.add_argument("--in-flight", type=int, default=1, help="messages a connection sends before it waits")
    options.add_argument("--size", type=int, default=64, help="bytes of a body")
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--id", type=int, default=1, help="message ID of an echoing handler")
    options.add_argument("--status", help="a command that prints the daemon's status as JSON")
    chosen = options.parse_args()

    load = Load(chosen.address, chosen.id, chosen.size)
    before = status(chosen.status)
    connected_in = load.connect(chosen.connections)
    time.sleep(1.0)  # the daemon publishes its numbers a few times a second
    idle = status(chosen.status)
    samples: list[int] = []
    seconds = load.run(chosen.in_flight, chosen.seconds)
    time.sleep(1.0)
    after = status(chosen.status)
    samples.append(resident(after))
    load.close()
    ordered = sorted(load.latencies)
    result: dict[str, Any] = {
        "connections": chosen.connections,
        "in_flight": chosen.in_flight,
        "size": chosen.size,
        "id": chosen.id,
        "connect_s": round(connected_in, 2),
        "messages": load.messages,
        "rate": round(load.messages / seconds),
        "p50_ms": round(percentile(ordered, 0.5), 2),
        "p99_ms": round(percentile(ordered, 0.99), 2),
        "max_ms": round(percentile(ordered, 1.0), 2),
        "errors": load.errors[:10],
        "error_count": len(load.errors),
    }
    if before and idle and after:
        totals, earlier = after["totals"], idle["totals"]
        result |= {
            "rss_before_kib": resident(before),
            "rss_idle_kib": resident(idle),
            "rss_after_kib": resident(after),
            "kib_per_idle_connection": round((resident(idle) - resident(before)) / chosen.connections, 2),
            "messages_per_poll": ratio(totals, earlier, "messages_in", "polls"),
            "messages_per_send": ratio(totals, earlier, "messages_out", "sends"),
        }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 1 if load.errors else 0


def ratio(later: dict[str, int], earlier: dict[str, int], part: str, whole: str) -> float:
    """How many of one counter came on one of another, between two looks."""
    return round((later[part] - earlier[part]) / max(later[whole] - earlier[whole], 1), 2)


if __name__ == "__main__":
    sys.exit(main())
