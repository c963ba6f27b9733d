"""The log of all processes: whole lines, rotation, JSON, and silence about single messages."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.waiting import wait_until

PLUGIN = """
    import logging
    from commscaffoldd import handler

    logger = logging.getLogger("commscaffoldd.plugin.talkative")

    @handler(7)
    def talk(request):
        connection = request.connection.id
        text = f"<{connection} {request.sequence} " + "x" * 3000 + f" {request.sequence} {connection}>"
        for _ in range(5):
            logger.info(text, extra={"connection": connection})
        return b"done"

    @handler(8)
    def inject(request):
        logger.info("user said %s", request.body.decode(), extra={"connection": request.connection.id})
        return b"done"

    @handler(9)
    def fails(request):
        raise RuntimeError("one line\\nand another")
    """
LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00) (?P<level>DEBUG|INFO|WARNING|ERROR) (?P<pid>\d+) "
    r"(?P<role>master|worker \d+|canary) \[(?P<connection>[^\]]+)\] (?P<logger>[a-z0-9_.]+): (?P<message>.*)"
)
WHOLE = re.compile(r"<(\S+) (\d+) x{3000} \2 \1>")


def talk(daemon: Daemon, client_number: int) -> None:
    with daemon.connect() as client:
        for _ in range(40):
            assert client.call(7, b"%d" % client_number) == b"done"


@pytest.mark.parametrize("format_", ["text", "json"])
def test_no_line_of_four_workers_is_torn(daemon: Daemon, format_: str) -> None:
    daemon.plugin("talkative", PLUGIN)
    daemon.configure(
        daemon={"workers": 4},
        log={"format": format_},
        listen=[{"address": daemon.free_address(), "accept": "reuseport"}],
    )
    daemon.start()
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda number: talk(daemon, number), range(8)))
    talked: dict[str, int] = {}
    for line in daemon.log().splitlines():
        if format_ == "text":
            found = LINE.fullmatch(line)
            assert found, line
            fields = found.groupdict()
        else:
            fields = json.loads(line)
            assert list(fields) == ["time", "level", "pid", "role", "connection", "logger", "message", "exception"]
        if fields["message"].startswith("<"):
            assert WHOLE.fullmatch(fields["message"]), line
            assert fields["message"].startswith(f"<{fields['connection']} ")
            assert fields["role"] == f"worker {fields['connection'].partition('.')[0]}"
            talked[fields["role"]] = talked.get(fields["role"], 0) + 1
    assert sum(talked.values()) == 8 * 40 * 5
    assert len(talked) > 1


def test_json_lines_hold_a_traceback_in_one_line(daemon: Daemon) -> None:
    daemon.plugin("talkative", PLUGIN)
    daemon.configure(log={"format": "json"})
    daemon.start()
    with daemon.connect() as client:
        client.send(9)
        client.receive()
        wait_until(lambda: "RuntimeError" in daemon.log())
        name = "{}:{}".format(*client._socket.getsockname())
    (record,) = [one for one in map(json.loads, daemon.log().splitlines()) if one["level"] == "ERROR"]
    assert record["role"] == "worker 1"
    assert record["pid"] in daemon.worker_pids()
    assert record["connection"].startswith("1.")
    assert "message ID 9" in record["message"]
    assert name in record["message"]
    assert "Traceback" in record["exception"]
    assert "RuntimeError: one line\nand another" in record["exception"]


def test_a_client_cannot_forge_lines(daemon: Daemon) -> None:
    daemon.plugin("talkative", PLUGIN)
    daemon.start()
    with daemon.connect() as client:
        client.call(8, b"x\n2026-11-23T09:06:32.123+00:00 INFO 1 master [-] commscaffoldd: all is well\x1b[2J")
    assert all(LINE.fullmatch(line) for line in daemon.log().splitlines())
    assert len(daemon.log_lines("user said")) == 1
    assert not [line for line in daemon.log().splitlines() if line.startswith("2026-11-23T09:06:32.123+00:00")]
    assert "\x1b" not in daemon.log()


@pytest.mark.parametrize("way", ["reopen", "SIGUSR1"])
def test_after_rotation_everybody_writes_to_the_new_file(daemon: Daemon, way: str) -> None:
    daemon.plugin("talkative", PLUGIN)
    daemon.configure(daemon={"workers": 3}, listen=[{"address": daemon.free_address(), "accept": "reuseport"}])
    daemon.start()
    workers = daemon.worker_pids()
    with Load(daemon.address(), 12) as load:
        load.flows()
        old = daemon.log_path.rename(daemon.run_dir / "old.log")
        if way == "reopen":
            assert daemon.command("reopen").code == 0
        else:
            os.kill(daemon.master_pid(), signal.SIGUSR1)
            wait_until(lambda: daemon.log_lines("the log was reopened"))
            # the workers answer the master; a question to them is answered after that
            daemon.ask("routes")
            wait_until(lambda: all(not opens(pid, str(old)) for pid in workers))
        size = old.stat().st_size
        for _ in range(12):
            with daemon.connect() as client:
                client.call(8, b"after")
        load.finish()
        assert [talker.error for talker in load.talkers if talker.error or talker.ended] == []
    assert old.stat().st_size == size
    assert len(daemon.log_lines("user said after")) == 12
    assert daemon.worker_pids() == workers
    assert not any(opens(pid, str(old)) for pid in daemon.pids())


def opens(pid: int, path: str) -> bool:
    """Whether the process has this file open."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if str(entry.readlink()) == path:
                return True
    return False


def test_a_new_worker_writes_to_the_new_file(daemon: Daemon) -> None:
    daemon.plugin("talkative", PLUGIN)
    daemon.start()
    daemon.log_path.rename(daemon.run_dir / "old.log")
    assert daemon.command("reopen").code == 0
    os.kill(daemon.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: daemon.log_lines("is ready"))
    with daemon.connect() as client:
        client.call(8, b"from the replacement")
    assert daemon.log_lines("worker 2", "from the replacement")


def test_a_log_that_cannot_be_reopened_is_told_and_the_old_one_stays(daemon: Daemon) -> None:
    folder = daemon.folder / "logs"
    folder.mkdir()
    daemon.configure(log={"file": str(folder / "log")})
    daemon.start()
    folder.rename(daemon.folder / "away")
    done = daemon.command("reopen")
    assert done.code == 1
    assert str(folder / "log") in done.err
    assert "cannot reopen the log" in (daemon.folder / "away" / "log").read_text()
    with daemon.connect() as client:
        assert client.call(1, b"x") == b"x"


def test_nothing_is_logged_for_single_messages_and_connections(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.log()
    with Load(daemon.address(), 20) as load:
        load.flows()
    wait_until(lambda: daemon.gauge("connections") == 0)
    with daemon.connect() as client:
        client.send(4711)
        client.receive()
        client.send(0)
        client.receive()
    wait_until(lambda: daemon.count("heartbeats") == 1)
    assert daemon.log() == before
