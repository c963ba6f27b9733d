"""Both clients of the library against the real daemon."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.client import ClientError, ErrorReply, Reconnect, StateChange
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.client.both import AnyClient, Open, each_client
from tests.system.conftest import NewDaemon
from tests.system.daemon import Daemon
from tests.system.waiting import wait_until

pytestmark = each_client

FIELDS = ("magic:u16=0xCAFE", "length:u24", "id:u16", "sequence:u16", "crc32:u32")
MINE = Layout("mine", LayoutSpec(fields=FIELDS, byte_order="little"))
LAYOUTS = [*PRESETS.values(), MINE]

NOTE = """
    import os, threading
    from commscaffoldd import handler

    @handler(5)
    def note(request):
        with open({path!r}, "ab", buffering=0) as notes:
            notes.write(request.body + b"\\n")
        return request.body

    @handler(6)
    def hold_on(request):
        request.connection.session["lock"] = threading.Lock()
        return b"held"

    @handler(7)
    def fail(request):
        raise RuntimeError

    @handler(8)
    def push(request):
        for _ in range(3):
            request.connection.send(9, request.body)
        return b"pushed"
    """


@pytest.fixture(scope="module")
def speaking(new_shared_daemon: NewDaemon) -> Daemon:
    """One that speaks every layout."""
    made = new_shared_daemon()
    listen = [{"address": made.free_address(), "layout": layout.name} for layout in LAYOUTS]
    unix = {"address": made.unix_address("s.sock")}
    made.configure(listen=[*listen, unix], layout={"mine": {"fields": list(FIELDS), "byte_order": "little"}})
    made.plugin("note", NOTE.format(path=str(made.folder / "notes")))
    made.start()
    return made


class Talkers:
    """Threads that call one after another, each body once; what fails is kept."""

    def __init__(self, client: AnyClient, count: int) -> None:
        self.sent: list[bytes] = []
        self.errors: list[BaseException] = []
        self.enough = threading.Event()
        self._client = client
        self._threads = [threading.Thread(target=self._talk, args=[name]) for name in range(count)]
        for thread in self._threads:
            thread.start()

    def _talk(self, name: int) -> None:
        number = 0
        while not self.enough.is_set():
            body = b"%d of %d" % (number, name)
            number += 1
            self.sent.append(body)
            try:
                assert self._client.call(5, body, timeout=30.0) == body
            except (ClientError, OSError, AssertionError) as error:
                self.errors.append(error)

    def flow(self, calls: int = 50) -> None:
        """Wait until so many more have been answered."""
        goal = len(self.sent) + calls
        wait_until(lambda: len(self.sent) >= goal or self.errors, what=f"{calls} more calls")

    def end(self) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def talking(client: AnyClient, count: int = 4) -> Iterator[Talkers]:
    talkers = Talkers(client, count)
    try:
        yield talkers
    finally:
        talkers.end()


def each_once(talkers: Talkers, notes: Path) -> None:
    assert talkers.errors == []
    assert Counter(notes.read_bytes().splitlines()) == Counter(talkers.sent)


@pytest.mark.parametrize("number", range(len(LAYOUTS)), ids=[layout.name for layout in LAYOUTS])
def test_every_layout(speaking: Daemon, connect: Open, number: int) -> None:
    layout = LAYOUTS[number]
    with connect(speaking.address(number), layout, connections=2) as client:
        for body in (b"", b"hello", bytes(range(256)) * 100):
            assert client.call(1, body) == body
        calls = [client.begin(1, b"%d" % one) for one in range(100)]
        assert [call.result(20) for call in calls] == [b"%d" % one for one in range(100)]


def test_a_unix_socket(speaking: Daemon, connect: Open) -> None:
    with connect(speaking.address(len(LAYOUTS))) as client:
        assert client.call(1, b"hello") == b"hello"


@pytest.mark.parametrize("name", ["standard", "mine"])
def test_errors_and_pushes(speaking: Daemon, connect: Open, name: str) -> None:
    number = [layout.name for layout in LAYOUTS].index(name)
    with connect(speaking.address(number), LAYOUTS[number]) as client:
        with pytest.raises(ErrorReply, match="handler failed"):
            client.call(7)
        with pytest.raises(ErrorReply, match="unknown message ID"):
            client.call(1234)
        assert client.call(8, b"news") == b"pushed"
        for _ in range(3):
            push = client.next_push()
            assert push is not None
            assert (push.id, push.body) == (9, b"news")


def test_heartbeats_keep_a_silent_client(daemon: Daemon, connect: Open) -> None:
    daemon.configure(heartbeat={"interval": 0.2, "misses": 2})
    daemon.start()
    states: list[StateChange] = []
    with connect(daemon.address(), heartbeat=0.1, on_state=states.append) as client:
        time.sleep(1.0)  # the time is what is tested: silent for longer than the daemon allows
        assert client.call(1, b"here") == b"here"
    assert [change.state for change in states] == ["connected", "closed"]


def test_a_reload_that_cannot_move_a_connection_loses_no_call(daemon: Daemon, connect: Open) -> None:
    notes = daemon.folder / "notes"
    daemon.plugin("note", NOTE.format(path=str(notes)))
    daemon.configure(daemon={"workers": 2, "handover_timeout": 0.3})
    daemon.start()
    states: list[StateChange] = []
    with connect(daemon.address(), connections=2, on_state=states.append) as client, talking(client) as talkers:
        for _ in range(3):
            for _ in range(2):
                assert client.call(6) == b"held"  # one of the connections, at least, cannot move
            talkers.flow()
            done = daemon.reload()
            assert "cannot be carried" in done.out
            talkers.flow()
    each_once(talkers, notes)
    assert "leaving" in [change.state for change in states]


def test_a_stop_and_a_start_lose_no_call(daemon: Daemon, connect: Open) -> None:
    notes = daemon.folder / "notes"
    daemon.plugin("note", NOTE.format(path=str(notes)))
    daemon.start()
    quickly = Reconnect(first=0.05, most=0.2)
    with connect(daemon.address(), connections=2, reconnect=quickly) as client, talking(client) as talkers:
        for _ in range(3):
            talkers.flow()
            daemon.stop()
            daemon.start()
            talkers.flow()
    each_once(talkers, notes)


def test_a_worker_that_is_killed_is_only_a_broken_connection(daemon: Daemon, connect: Open) -> None:
    daemon.start()
    with connect(daemon.address(), reconnect=Reconnect(first=0.05, most=0.2)) as client:
        assert client.call(1, b"before") == b"before"
        daemon.kill_everything()
        daemon.start()
        assert client.call(1, b"after", retry=True, timeout=20.0) == b"after"
