"""Bounded everywhere: what is full pauses, what has room goes on, and others do not notice."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from tests.system import processes
from tests.system.daemon import PROGRAM, Daemon
from tests.system.load import Load
from tests.system.raw import Raw, frame
from tests.system.waiting import stays, wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

PLUGIN = """
    import threading, time
    from pathlib import Path
    from commscaffoldd import handler

    @handler(7)
    def slow(request):
        time.sleep(0.001)
        return request.body

    @handler(8)
    def large(request):
        return bytes(int(request.body))

    @handler(9)
    def gated(request):
        gate = Path(__file__).parent.parent / "gate"
        while not gate.exists():
            time.sleep(0.01)
        return request.body

    @handler(10)
    def pushes(request):
        def push():
            while request.connection.send(11, bytes(10000)):
                pass
        threading.Thread(target=push, daemon=True).start()
    """
NO_FLOOD = {"enabled": False}


def test_a_full_business_queue_pauses_reading_and_all_replies_come(daemon: Daemon) -> None:
    daemon.plugin("bounds", PLUGIN)
    daemon.configure(business={"queue": 50, "threads": 2}, flood=NO_FLOOD)
    daemon.start()
    clients = [Raw(daemon.address()) for _ in range(4)]
    messages = 400
    for number, client in enumerate(clients):
        client.send(b"".join(frame(9, b"%d/%d" % (number, count), count) for count in range(messages)))
    wait_until(lambda: daemon.count("queue_full") > 0)
    wait_until(lambda: daemon.gauge("paused") > 0)
    received = daemon.settled("messages_in")
    assert received <= 50 + messages + 2, "more than the queue, one read, and what the threads have"
    busy = processes.cpu_seconds(daemon.worker_pids()[0])
    assert stays(lambda: daemon.count("messages_in") == received, 0.5), "it reads on although the queue is full"
    assert processes.cpu_seconds(daemon.worker_pids()[0]) - busy < 0.25, "it spins while it pauses"

    (daemon.folder / "gate").touch()

    for number, client in enumerate(clients):
        expected = b"".join(frame(9, b"%d/%d" % (number, count), count) for count in range(messages))
        assert client.receive_exactly(len(expected)) == expected
        client.socket.close()
    wait_until(lambda: daemon.gauge("paused") == 0)
    with daemon.connect() as last:
        assert last.call(1, b"x") == b"x"


def test_a_queue_that_is_full_all_the_time_loses_and_reorders_nothing(daemon: Daemon) -> None:
    daemon.plugin("bounds", PLUGIN)
    daemon.configure(business={"queue": 8, "threads": 2, "per_connection": 4}, flood=NO_FLOOD)
    daemon.start()
    with Load(daemon.address(), 10, in_flight=40, message_id=7) as load:
        wait_until(lambda: all(talker.received >= 100 or talker.error for talker in load.talkers), timeout=30)
        load.finish()
        assert [talker.error for talker in load.talkers if talker.error or talker.ended] == []
        assert all(talker.waiting == 0 for talker in load.talkers)
    assert daemon.count("queue_full") > 0


def test_one_connection_with_much_waiting_does_not_take_the_queue_from_others(daemon: Daemon) -> None:
    daemon.plugin("bounds", PLUGIN)
    daemon.configure(business={"queue": 10000, "per_connection": 10, "threads": 2}, flood=NO_FLOOD)
    daemon.start()
    with Raw(daemon.address()) as greedy, daemon.connect() as other:
        greedy.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):  # 100 MB stay in the kernel, as far as it takes them: nobody reads them
            greedy.send(frame(9, bytes(10000)) * 10000)
        assert daemon.gauge("paused") == 1
        assert other.call(1, b"x") == b"x"
        (daemon.folder / "gate").touch()


def test_a_client_that_does_not_read_is_paused_then_closed(daemon: Daemon) -> None:
    daemon.plugin("bounds", PLUGIN)
    # The queue has room for all of it: when it has not, clients that do not read are closed sooner.
    limits = {"send_buffer": 65536, "slow_reader_timeout": 1.5}
    daemon.configure(connections=limits, business={"queue": 100_000}, flood=NO_FLOOD)
    daemon.start()
    (worker,) = daemon.worker_pids()
    with Load(daemon.address(), 4) as load:
        load.flows()
        memory = processes.resident_bytes(worker)
        clients = [Raw(daemon.address(), receive_buffer=4096) for _ in range(10)]
        for client in clients:
            client.send(frame(8, b"60000") * 1000)  # 60 MB of replies each
        wait_until(lambda: any(row["unsent"] > 65536 for row in daemon.ask("connections")["connections"]))
        load.flows()
        for row in daemon.ask("connections")["connections"]:
            assert row["unsent"] <= 2 * 65536 + 60016
        assert processes.resident_bytes(worker) - memory < 20_000_000
        wait_until(lambda: daemon.count("slow_readers") == 10)
        assert processes.resident_bytes(worker) - memory < 20_000_000
        for client in clients:
            name = client.name
            wait_until(lambda name=name: daemon.log_lines("WARNING", name))  # type: ignore[misc]
            (line,) = daemon.log_lines("WARNING", name)
            assert "slow reader" in line
            assert "above send_buffer = 65536 for 1.5 s" in line
            client.receive_all()
            client.socket.close()
        load.flows()
        load.finish()
        assert [talker.error for talker in load.talkers if talker.error or talker.ended] == []


def test_a_client_that_reads_again_in_time_gets_everything(daemon: Daemon) -> None:
    daemon.plugin("bounds", PLUGIN)
    daemon.configure(connections={"send_buffer": 65536, "slow_reader_timeout": 20.0}, flood=NO_FLOOD)
    daemon.start()
    with Raw(daemon.address(), receive_buffer=4096) as client:
        for sequence in range(300):
            client.send(frame(8, b"50000", sequence))
        wait_until(lambda: any(row["unsent"] > 65536 for row in daemon.ask("connections")["connections"]))
        for sequence in range(300):
            assert client.receive_exactly(50016) == frame(8, bytes(50000), sequence)
    assert daemon.settled("slow_readers") == 0


def test_a_client_that_is_pushed_more_than_it_reads_is_closed_at_once(daemon: Daemon) -> None:
    daemon.plugin("bounds", PLUGIN)
    daemon.configure(connections={"send_buffer": 65536, "slow_reader_timeout": 60.0})
    daemon.start()
    memory = processes.resident_bytes(daemon.worker_pids()[0])
    with Raw(daemon.address(), receive_buffer=4096) as client:
        client.send(frame(10))
        wait_until(lambda: daemon.count("slow_readers") == 1)
        wait_until(lambda: daemon.log_lines("WARNING", client.name, "slow reader"))
        assert processes.resident_bytes(daemon.worker_pids()[0]) - memory < 20_000_000


def test_at_the_connection_limit_the_next_one_waits_until_one_closes(daemon: Daemon) -> None:
    daemon.configure(connections={"max": 5, "initial": 1, "recycle_delay": 60.0})
    daemon.start()
    (worker,) = daemon.worker_pids()
    served = [daemon.connect() for _ in range(5)]
    for client in served:
        assert client.call(1, b"x") == b"x"
    waiting = [daemon.connect() for _ in range(3)]
    for client in waiting:
        client.send(1, b"served at last")
    wait_until(lambda: daemon.gauge("accepting") == 0)
    busy = processes.cpu_seconds(worker)
    assert stays(lambda: daemon.gauge("connections") == 5, 0.5)
    assert processes.cpu_seconds(worker) - busy < 0.25
    for client in waiting:
        served.pop(0).close()
        assert client.receive().body == b"served at last"
    for client in served + waiting:
        assert client.call(1, b"x") == b"x"
        client.close()
    # more than twice the limit, one after another: slots are used again before their time
    for _ in range(20):
        with daemon.connect() as client:
            assert client.call(1, b"x") == b"x"
    wait_until(lambda: daemon.gauge("connections") == 0)
    assert daemon.gauge("slots") <= 10


def test_out_of_descriptors_it_logs_once_does_not_spin_and_recovers(daemon: Daemon) -> None:
    limit = 40
    daemon.configure(connections={"max": 1000})
    daemon.start(program=("/bin/sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", *PROGRAM))
    (worker,) = daemon.worker_pids()
    clients = [Raw(daemon.address()) for _ in range(limit + 20)]
    wait_until(lambda: daemon.log_lines("ERROR", "accepting pauses", "Too many open files"))
    busy, began, failures = processes.cpu_seconds(worker), time.monotonic(), daemon.count("accept_failures")
    wait_until(lambda: daemon.count("accept_failures") >= failures + 5)
    seconds = time.monotonic() - began
    assert processes.cpu_seconds(worker) - busy < max(0.1, seconds / 5)
    assert seconds > 0.3, "it is tried every 100 ms only"
    assert len(daemon.log_lines("accepting pauses")) == 1
    clients[0].send(frame(1, b"those inside are served"))
    assert clients[0].receive_exactly(39) == frame(1, b"those inside are served")
    for client in clients[:40]:
        client.socket.close()
    for client in clients[40:]:
        client.send(frame(1, b"now"))
        assert client.receive_exactly(19) == frame(1, b"now")
        client.socket.close()
    wait_until(lambda: daemon.log_lines("INFO", "accepting again"))
    assert daemon.worker_pids() == [worker]
    assert daemon.command("status").code == 0


def test_a_control_client_that_says_nothing_or_nonsense_disturbs_nobody(daemon: Daemon) -> None:
    daemon.start()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(20)]
        for one in silent:
            one.connect(str(daemon.control_socket))
        # The last ones: of so many clients the first ones are sent away.
        silent[-1].sendall(b"not json\n")
        silent[-2].sendall(b'{"command": "nonsense"}\n')
        silent[-3].sendall(b'{"no": "command"}\n')
        with contextlib.suppress(BrokenPipeError):  # it has heard enough of it
            silent[-4].sendall(b"x" * 100_000)
        assert daemon.command("status").code == 0
        silent[-2].settimeout(10)
        assert b"there is no command" in silent[-2].recv(4096)
    assert daemon.command("status").code == 0
