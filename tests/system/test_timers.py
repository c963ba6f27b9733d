"""Timers and the state of workers, in a real daemon."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from tests.system.daemon import Daemon
from tests.system.waiting import wait_until

CLOCK = """
    import os, time
    from commscaffoldd import every, hookimpl, WorkerInfo

    class Book:
        def __init__(self, path):
            self.path = path
            self.file = open(path, "ab", buffering=0)

    @hookimpl
    def worker_started(settings) -> Book:
        return Book(settings["path"])

    @hookimpl
    def worker_stopping(book: Book, worker):
        book.file.close()
        with open(book.path + ".closed", "ab", buffering=0) as file:
            file.write(b"%d\\n" % worker.number)

    @every({period}, workers="one")
    def only_one(book: Book, worker: WorkerInfo):
        book.file.write(b"one %d %d\\n" % (worker.number, round(time.monotonic() / {period})))

    @every({period})
    def each(book: Book, worker: WorkerInfo):
        book.file.write(b"all %d 0\\n" % worker.number)
    """


class Book:
    """What the timers have written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self, kind: str) -> list[tuple[int, int]]:
        """Worker, and number of the time."""
        with contextlib.suppress(FileNotFoundError):
            rows = [line.split() for line in self.path.read_text().splitlines()]
            return [(int(worker), int(tick)) for what, worker, tick in rows if what == kind]
        return []

    def workers(self, kind: str, since: int = 0) -> set[int]:
        return {worker for worker, _ in self.lines(kind)[since:]}

    def more(self, kind: str, count: int = 3) -> set[int]:
        """The workers that write the next lines."""
        before = len(self.lines(kind))
        wait_until(lambda: len(self.lines(kind)) >= before + count, what=f"{count} more calls of {kind}")
        return self.workers(kind, before)


@pytest.fixture
def book(daemon: Daemon) -> Book:
    path = daemon.folder / "book"
    daemon.plugin("clock", CLOCK.format(period=0.1))
    daemon.configure(daemon={"workers": 3}, plugin={"clock": {"path": str(path)}})
    return Book(path)


def test_one_worker_or_all_of_them(daemon: Daemon, book: Book) -> None:
    daemon.start()
    wait_until(lambda: book.workers("all") == {1, 2, 3})
    assert len(book.more("one")) == 1
    daemon.stop()
    assert sorted((daemon.folder / "book.closed").read_text().split()) == ["1", "2", "3"]
    assert not daemon.log_lines("ERROR")


def test_it_is_taken_over_when_its_worker_dies(daemon: Daemon, book: Book) -> None:
    daemon.start()
    (holder,) = book.more("one")
    os.kill(daemon.ready()[holder], signal.SIGKILL)
    (heir,) = wait_until(lambda: book.workers("one") - {holder})
    assert heir != holder


def test_a_reload_neither_doubles_a_call_nor_leaves_one_out(daemon: Daemon, book: Book) -> None:
    daemon.plugin("clock", CLOCK.format(period=0.3))
    daemon.start()
    book.more("one", 2)
    for _ in range(3):
        daemon.reload()
    assert book.more("one") <= set(daemon.ready()), "those of before have let go"
    ticks = [tick for _, tick in book.lines("one")]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


ASYNC = """
    import asyncio
    from commscaffoldd import Refuse, every, handler, hookimpl, middleware

    class Pool:
        def __init__(self, path):
            self.loop = asyncio.get_running_loop()
            self.path, self.ticks, self.open = path, 0, True

    @hookimpl
    async def worker_started(settings) -> Pool:
        await asyncio.sleep(0)
        return Pool(settings["path"])

    @hookimpl
    async def worker_stopping(pool: Pool):
        assert asyncio.get_running_loop() is pool.loop
        pool.open = False
        with open(pool.path, "w") as file:
            file.write("closed")

    @every(0.05)
    async def tick(pool: Pool):
        assert asyncio.get_running_loop() is pool.loop and pool.open
        await asyncio.sleep(0.01)
        pool.ticks += 1

    @middleware
    def shout(request, pool: Pool):
        if request.body == b"no":
            raise Refuse(1001, "said no")
        reply = yield
        return reply + ("!" if pool.open else "?")

    @handler(20, open=True)
    async def log_in(request, pool: Pool) -> str:
        await asyncio.sleep(0)
        request.connection.authenticate("ann")
        return "welcome"

    @handler(21)
    async def ticks(request, pool: Pool) -> str:
        return f"{pool.ticks > 0}"

    @handler(22)
    def plain(request, pool: Pool) -> str:
        return request.connection.user
    """


def test_all_of_it_on_the_event_loop(daemon: Daemon) -> None:
    daemon.plugin("busy", ASYNC)
    daemon.configure(plugin={"busy": {"path": str(daemon.folder / "pool")}})
    daemon.start()
    with daemon.connect() as client:
        for message_id in (21, 20, 22):  # at once: the message behind the login finds it done
            client.send(message_id)
        refused, welcome, user = (client.receive().body for _ in range(3))
        assert b"message ID 21 needs a login" in refused
        assert (welcome, user) == (b"welcome!", b"ann!")
        wait_until(lambda: client.call(21) == b"True!")
        client.send(22, b"no")
        assert client.receive().body.endswith(b"said no")
    assert daemon.settled("login_refusals") == 1
    daemon.stop()
    assert (daemon.folder / "pool").read_text() == "closed"
    assert not daemon.log_lines("ERROR")
    assert not daemon.log_lines("Traceback")


def test_what_nobody_provides_refuses_the_reload(daemon: Daemon, book: Book) -> None:
    daemon.start()
    daemon.plugin("other", "from commscaffoldd import every\n@every(1)\ndef look(text: str): ...")
    done = daemon.command("reload")
    assert done.code == 78
    assert "timer look: parameter text: no worker_started returns str: annotate one with `-> str`" in done.err
    assert book.more("one")


def test_a_state_of_another_type_than_promised_is_a_failed_start(daemon: Daemon) -> None:
    daemon.plugin("bad", "from commscaffoldd import hookimpl\n@hookimpl\ndef worker_started() -> str:\n    return 7")
    done = daemon.command("start")
    assert done.code == 78
    assert "worker_started failed: ProvidedTypeError: it returned int, and is annotated to return str" in done.err


def test_operators_see_the_timers(daemon: Daemon, book: Book) -> None:
    daemon.start()
    book.more("one")
    lines = daemon.command("timers").out.splitlines()
    assert lines[0].split()[:5] == ["PLUGIN", "TIMER", "EVERY", "WORKERS", "RUNS"]
    assert [line.split()[:5] for line in lines[1:]] == [
        ["clock", "each", "100", "ms", "all"],
        ["clock", "only_one", "100", "ms", "one"],
    ]
    rows = json.loads(daemon.command("timers", "--json").out)
    assert [(row["function"], row["worker"]) for row in rows] == [
        (name, worker) for name in ("each", "only_one") for worker in (1, 2, 3)
    ]
    assert sum(row["runs"] > 0 for row in rows if row["function"] == "only_one") == 1
