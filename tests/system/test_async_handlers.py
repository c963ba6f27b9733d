"""Handlers that wait: `async def`, streams, replies that come later; and what operators see of those that hang."""

from __future__ import annotations

import json
import threading

import msgspec
import pytest

from commscaffoldd.client.errors import ErrorReply
from commscaffoldd.client.frame_client import FrameClient
from tests.system.daemon import Daemon
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

WAITS, ADDS, COUNTS, COUNTS_ASYNC, LATER, ADDS_LATER, TALLY, BLOCKS, POLLS, TOGETHER, REFUSES = range(1001, 1012)

PATIENT = """
    import asyncio, threading, time
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    import msgspec
    from commscaffoldd import Deferred, Refuse, every, handler, hookimpl

    class Sum(msgspec.Struct):
        a: int
        b: int

    class Total(msgspec.Struct):
        total: int

    class Tally:
        def __init__(self):
            self.loop = asyncio.get_running_loop()
            self.ticks = 0

    @hookimpl
    async def worker_started(worker) -> Tally:
        await asyncio.sleep(0)
        return Tally()

    @hookimpl
    async def worker_stopping(tally: Tally):
        assert tally.loop is asyncio.get_running_loop()
        Path(__file__).with_name("stopped").touch()

    @every(0.05)
    async def tick(tally: Tally):
        tally.ticks += 1

    async def until_it_exists(path):
        while not Path(path).exists():
            await asyncio.sleep(0.01)

    @handler(1001)
    async def waits(request, body: str) -> str:
        await until_it_exists(body)
        return "it is there"

    @handler(1002)
    async def adds(request, body: Sum) -> Total:
        return Total(body.a + body.b)

    @handler(1003)
    def counts(request, body: int) -> Iterator[int]:
        yield from range(body)

    @handler(1004)
    async def counts_async(request, body: int) -> AsyncIterator[int]:
        for number in range(body):
            await asyncio.sleep(0)
            yield number

    @handler(1005)
    def later(request):
        deferred = request.defer()
        threading.Timer(0.05, deferred.reply, [b"later"]).start()

    @handler(1006)
    def adds_later(request, body: Sum) -> Total | Deferred:
        deferred = request.defer()
        threading.Timer(0.05, deferred.reply, [Total(body.a + body.b)]).start()
        return deferred

    @handler(1007)
    async def tally_of(request, tally: Tally) -> int:
        return tally.ticks

    @handler(1008)
    async def blocks(request, body: str) -> None:
        while not Path(body).exists():
            time.sleep(0.01)

    @handler(1009, cancel_on_close=True)
    async def polls(request):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            Path(__file__).with_name("cancelled").touch()
            raise

    @handler(1010, concurrent=True)
    async def together(request, body: int) -> int:
        await asyncio.sleep(0.01 * body)
        return body

    @handler(1011)
    async def refuses(request):
        raise Refuse(1234, "not today")
    """


@pytest.fixture
def patient(daemon: Daemon) -> Daemon:
    daemon.plugin("patient", PATIENT)
    return daemon


def packed(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def receive(client: FrameClient, count: int) -> list[object]:
    return [msgspec.msgpack.decode(client.receive().body) for _ in range(count)]


def test_typed_ones_streams_and_those_that_answer_later(patient: Daemon) -> None:
    patient.start()
    with patient.connect() as client:
        assert client.call(ADDS, packed({"a": 3, "b": 4})) == packed({"total": 7})
        for message_id in (COUNTS, COUNTS_ASYNC):
            client.send(message_id, packed(5))
            assert receive(client, 5) == [0, 1, 2, 3, 4]
        assert client.call(LATER) == b"later"
        assert client.call(ADDS_LATER, packed({"a": 3, "b": 4})) == packed({"total": 7})
        for message_id in (ADDS, ADDS_LATER):
            with pytest.raises(ErrorReply, match=r"error 2 \(bad body\): body.b: Expected `int`, got `str`"):
                client.call(message_id, packed({"a": 3, "b": "4"}))
        with pytest.raises(ErrorReply, match="error 1234: not today"):
            client.call(REFUSES)
        wait_until(lambda: msgspec.msgpack.decode(client.call(TALLY)) > 2, what="an async timer's calls")
    modes = {row["id"]: row["mode"] for row in json.loads(patient.command("routes", "--json").out)}
    assert (modes[WAITS], modes[TOGETHER], modes[COUNTS]) == ("async", "async concurrent", "pool")
    assert patient.count("handler_errors") == 0
    patient.stop()
    assert (patient.folder / "plugins" / "stopped").exists()


def test_order_is_that_of_requests_but_for_concurrent_ones(patient: Daemon) -> None:
    patient.start()
    flag = patient.folder / "flag"
    with patient.connect() as client, patient.connect() as other:
        client.send(WAITS, str(flag).encode(), sequence=1)
        client.send(ADDS, packed({"a": 1, "b": 1}), sequence=2)
        client.send(1, b"echo", sequence=3)
        assert other.call(ADDS, packed({"a": 2, "b": 2})) == packed({"total": 4}), "others go on"
        flag.touch()
        assert [client.receive().sequence for _ in range(3)] == [1, 2, 3]
        for number in (9, 5, 1):
            client.send(TOGETHER, packed(number))
        assert receive(client, 3) == [1, 5, 9]


def test_a_reload_waits_for_it_and_the_connection_moves(patient: Daemon) -> None:
    patient.start()
    flag = patient.folder / "flag"
    with patient.connect() as client:
        before = patient.worker_pids()
        client.send(WAITS, str(flag).encode(), sequence=1)
        client.send(LATER, sequence=2)
        wait_until(lambda: patient.gauge("queue") == 2)
        threading.Timer(0.5, flag.touch).start()
        assert patient.reload().code == 0
        assert [client.receive().body for _ in range(2)] == [b"it is there", b"later"]
        assert not set(before) & set(patient.worker_pids())
    assert patient.settled("adopted") == 1


def test_one_that_hangs_is_cancelled_and_its_client_told(patient: Daemon) -> None:
    patient.configure(business={"handler_timeout": 0.3})
    patient.start()
    with patient.connect() as client:
        with pytest.raises(ErrorReply, match=r"error 4 \(timed out\): the handler took longer than 0.3 s"):
            client.call(WAITS, b"/nonexistent")
        assert client.call(1, b"goes on") == b"goes on"
    assert patient.log_lines(
        "ERROR", "handler waits of plugin patient", "has not been answered after 0.", "it is at:"
    )
    assert patient.log_lines('patient.py", line', "in until_it_exists")


def test_one_that_says_so_is_cancelled_when_its_client_goes(patient: Daemon) -> None:
    patient.start()
    with patient.connect() as client:
        client.send(POLLS)
        wait_until(lambda: patient.gauge("queue") == 1)
    wait_until((patient.folder / "plugins" / "cancelled").exists)
    assert patient.settled("handler_errors") == 0


def test_what_blocks_the_loop_is_named_and_the_worker_replaced(patient: Daemon) -> None:
    patient.configure(business={"handler_timeout": 1.0})
    patient.start()
    (pid,) = patient.worker_pids()
    flag = patient.folder / "flag"
    with patient.connect() as client, patient.connect() as other:
        client.send(BLOCKS, str(flag).encode())
        wait_until(lambda: patient.log_lines("ERROR", "handler blocks of plugin patient", "blocks the event loop"))
        assert patient.log_lines('patient.py", line', "in blocks")
        assert other.call(1, b"goes on") == b"goes on", "what needs no loop does"
        wait_until(lambda: patient.worker_pids() not in ([], [pid]), what="another worker")
        assert patient.log_lines("ERROR", f"(pid {pid}): hung handlers hold its event loop")
        flag.touch()
        assert other.call(ADDS, packed({"a": 2, "b": 2})) == packed({"total": 4}), "it has moved"


SLOW_TO_STOP = """
    import asyncio, time
    from pathlib import Path
    from commscaffoldd import handler, hookimpl

    @handler(2001)
    async def blocks(request):
        time.sleep(30)

    @handler(2002)
    async def ends_the_loop(request):
        asyncio.get_running_loop().stop()
        asyncio.get_running_loop().call_soon(exit)
        return b"done"

    @hookimpl(tryfirst=True)
    async def worker_stopping(worker):
        await asyncio.sleep(30)
    """
OTHER = """
    from pathlib import Path
    from commscaffoldd import hookimpl

    @hookimpl(trylast=True)
    def worker_stopping(worker):
        Path(__file__).with_name("stopped").touch()
    """


@pytest.mark.parametrize("blocked", [False, True])
def test_a_hook_that_hangs_at_the_end_holds_up_neither_the_stop_nor_other_plugins(
    daemon: Daemon, *, blocked: bool
) -> None:
    daemon.plugin("slow", SLOW_TO_STOP)
    daemon.plugin("zother", OTHER)
    daemon.configure(daemon={"stop_timeout": 0.5})
    daemon.start()
    with daemon.connect() as client:
        if blocked:
            client.send(2001)
            wait_until(lambda: daemon.gauge("queue") == 1, what="the handler that blocks")
        daemon.stop()
    assert (daemon.folder / "plugins" / "stopped").exists()
    assert "plugin slow: hook worker_stopping failed" in daemon.log()
    assert "TimeoutError: it was not done in" in daemon.log()
    assert "did not stop in time" not in daemon.log()


def test_plugins_cannot_end_the_event_loop(daemon: Daemon) -> None:
    daemon.plugin("slow", SLOW_TO_STOP)
    daemon.configure(daemon={"stop_timeout": 0.5})
    daemon.start()
    before = daemon.worker_pids()
    with daemon.connect() as client:
        for _ in range(3):
            assert client.call(2002) == b"done"
    assert daemon.worker_pids() == before
    daemon.stop()
