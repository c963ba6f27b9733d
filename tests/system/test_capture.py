"""`capture`: what a running daemon receives and sends, in a file, and nothing left behind in the workers."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from commscaffoldd.capture.records import Closed, End, Joined, Known, Lost
from tests.system.capturing import capturing, messages, read
from tests.system.daemon import PATIENCE, PROGRAM, Daemon
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

PUSHER = """
    from commscaffoldd import handler

    @handler(5)
    def push(request):
        request.connection.send(6, b"push")
        return b"reply"

    @handler(7, inline=True)
    def fail(request):
        raise RuntimeError("no")
    """


def capture_threads(daemon: Daemon) -> list[str]:
    """Threads of the workers that bring records to somebody; by their number of descriptors and threads."""
    counts = []
    for pid in daemon.worker_pids():
        folder = Path("/proc") / str(pid)
        counts.append(f"{len(list((folder / 'fd').iterdir()))} {len(list((folder / 'task').iterdir()))}")
    return counts


def test_it_has_all_that_passes(daemon: Daemon) -> None:
    daemon.plugin("pusher", PUSHER)
    daemon.start()
    with daemon.connect() as old, capturing(daemon) as capture:
        assert old.call(1, b"here already") == b"here already"
        with daemon.connect() as new:
            assert new.call(5) == b"reply"
            new.send(7)
            assert new.receive().id == 0xFFFFFFFF
            new.send(0)
            assert new.receive().id == 0
        wait_until(lambda: daemon.gauge("connections") == 1)
        done = capture.end()

    assert done.code == 0, done.err
    assert done.out.startswith(f"{capture.path}: ")
    assert "interrupted" in done.out
    assert capture.path.stat().st_mode & 0o777 == 0o600
    header, records = read(capture.path)
    assert [(one.listen, one.layout) for one in header.spoken] == [(daemon.address(), "standard")]
    assert isinstance(records[0], Joined)
    known = [one for one in records if isinstance(one, Known)]
    assert [one.opened for one in known] == [False, True]
    assert {one.listen for one in known} == {daemon.address()}
    (closed,) = [one for one in records if isinstance(one, Closed)]
    assert closed.connection == known[1].connection
    assert isinstance(records[-1], End)
    assert records[-1].lost == 0
    assert [one.time for one in records] == sorted(one.time for one in records)  # type: ignore[union-attr]
    passed = messages(records)
    assert passed[:2] == [("in", 1, b"here already"), ("out", 1, b"here already")]
    assert {("in", 5, b""), ("out", 5, b"reply"), ("out", 6, b"push"), ("in", 7, b""), ("out", 0, b"")} <= set(passed)
    assert next(one for one in passed if one[1] == 0xFFFFFFFF)[2][4:6] == b"\x00\x03"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--id", "7"], [("in", 7), ("out", 0xFFFFFFFF)]),
        (["--id", "1", "--direction", "in"], [("in", 1)]),
        (["--direction", "out"], [("out", 1), ("out", 0xFFFFFFFF)]),
        (["--peer", "127.0.0.0/8", "--id", "1"], [("in", 1), ("out", 1)]),
        (["--peer", "192.0.2.1"], []),
        (["--count", "1"], [("in", 1)]),
    ],
)
def test_filters(daemon: Daemon, words: list[str], expected: list[tuple[str, int]]) -> None:
    daemon.plugin("pusher", PUSHER)
    daemon.start()
    with capturing(daemon, *words) as capture, daemon.connect() as client:
        client.call(1, b"x")
        client.send(7)
        client.receive()
        done = capture.end(None if "--count" in words else signal.SIGINT)
        assert done.code == 0
        assert [(direction, one) for direction, one, _ in capture.messages()] == expected
        if "192.0.2.1" in words:
            assert not [one for one in capture.records() if isinstance(one, Known | Closed)]


def test_limits_end_it(daemon: Daemon) -> None:
    daemon.start()
    with daemon.connect() as client:
        with capturing(daemon, "--duration", "0.2") as capture:
            assert "0.2 seconds are over" in capture.end(None).out
        with capturing(daemon, "--force", "--max-size", "10K") as capture:
            for _ in range(20):
                client.call(1, bytes(1000))
            done = capture.end(None)
        assert "--max-size 10.0 KiB is reached" in done.out
        assert 8_000 < capture.path.stat().st_size <= 10_240
        assert isinstance(capture.records()[-1], End)


def test_all_workers_take_part_and_those_of_a_reload_too(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        assert "from 2 workers" in capture.began
        client.call(1, b"before")
        daemon.reload()
        client.call(1, b"after")
        assert capture.end().code == 0
    assert sum(isinstance(one, Joined) for one in capture.records()) == 4
    assert [one[2] for one in capture.messages()] == [b"before"] * 2 + [b"after"] * 2
    introduced = [one for one in capture.records() if isinstance(one, Known)]
    assert len({one.connection for one in introduced}) == 1  # it is the same one, in both workers


def test_a_worker_that_dies_ends_nothing(daemon: Daemon) -> None:
    daemon.start()
    with capturing(daemon) as capture:
        (first,) = daemon.worker_pids()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: daemon.worker_pids() not in ([], [first]))
        with daemon.connect() as client:
            client.call(1, b"to the next one")
        assert capture.end().code == 0
    assert ("in", 1, b"to the next one") in capture.messages()


def test_it_ends_with_the_daemon(daemon: Daemon) -> None:
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        client.call(1, b"last words")
        daemon.stop()
        done = capture.end(None)
    assert done.code == 0
    assert "the daemon has stopped" in done.out
    assert [one[2] for one in capture.messages()] == [b"last words"] * 2
    assert any(isinstance(one, Closed) for one in capture.records())


def test_it_ends_with_an_upgrade(daemon: Daemon) -> None:
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        client.call(1, b"before")
        done = daemon.command("upgrade")
        assert done.code == 0, done.err
        client.call(1, b"after")
        done = capture.end(None)
    assert done.code == 0
    assert "the daemon has stopped, or was replaced" in done.out
    assert [one[2] for one in capture.messages()] == [b"before"] * 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_nothing_behind(daemon: Daemon, how: int) -> None:
    daemon.start()
    before = wait_until(lambda: capture_threads(daemon))
    with capturing(daemon) as capture:
        assert capture_threads(daemon) != before
        capture.end(how)
    wait_until(lambda: capture_threads(daemon) == before)
    with capturing(daemon, "--force") as again:  # and another one can begin
        assert again.end().code == 0


def test_one_at_a_time(daemon: Daemon) -> None:
    daemon.start()
    with capturing(daemon):
        done = daemon.command("capture", "-o", "second.cap")
    assert done.code == 1
    assert "a capture is running already" in done.err
    assert not (daemon.folder / "second.cap").exists()


def test_one_that_does_not_read_holds_nobody_up(daemon: Daemon) -> None:
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        capture.process.send_signal(signal.SIGSTOP)
        body = bytes(500_000)
        for _ in range(60):  # more than the queue and the socket take
            assert client.call(1, body) == body
        capture.process.send_signal(signal.SIGCONT)
        done = capture.end()
    assert done.code == 0
    assert "lost" in done.out
    lost = sum(one.count for one in capture.records() if isinstance(one, Lost))
    assert lost > 0
    assert lost + len(capture.messages()) == 120


def test_a_full_disk_ends_it_with_whole_records(daemon: Daemon) -> None:
    daemon.start()
    path = daemon.folder / "x.cap"
    command = subprocess.Popen(
        (*PROGRAM, "capture", "--config", str(daemon.path), "-o", str(path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=daemon.environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),  # noqa: PLW1509
    )
    assert command.stderr is not None
    assert command.stderr.readline().startswith("capturing")
    with daemon.connect() as client:
        for _ in range(10):
            client.call(1, bytes(3000))
    _, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 1
    assert f"{path}: File too large" in err
    assert "Traceback" not in err
    assert 1 < len(messages(read(path)[1])) < 8


def test_what_cannot_begin_is_said_and_leaves_no_file(daemon: Daemon) -> None:
    path = daemon.folder / "x.cap"
    done = daemon.command("capture", "-o", str(path))
    assert (done.code, path.exists()) == (7, False)
    daemon.start()
    path.write_text("mine")
    done = daemon.command("capture", "-o", str(path))
    assert done.code == 1
    assert "is there already; --force replaces it" in done.err
    assert path.read_text() == "mine"
    assert daemon.command("capture", "-o", str(daemon.folder / "nowhere" / "x.cap")).code == 1
    assert daemon.command("capture", "-o", "x.cap", "--peer", "nonsense").code == 2
    assert daemon.command("capture").code == 2
    answer = daemon.ask("capture", filter={"direction": "up"})
    assert "filter: " in answer["errors"][0]


def test_it_is_shown(daemon: Daemon) -> None:
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        client.call(1, b"hello")
        client.call(1, b"\xff\x00")
        capture.end()
    done = daemon.command("capture", "--show", str(capture.path))
    assert done.code == 0
    assert " > id 1 sequence 1 5 bytes 'hello'" in done.out
    assert " < id 1 sequence 2 2 bytes ff 00" in done.out
    done = daemon.command("capture", "--show", str(capture.path), "--json", "--direction", "in")
    objects = [json.loads(line) for line in done.out.splitlines()]
    assert objects[0]["record"] == "header"
    assert [one["text"] for one in objects if one["record"] == "in" and "text" in one] == ["hello"]
    assert not [one for one in objects if one["record"] == "out"]
    capture.path.write_bytes(capture.path.read_bytes()[:-3])
    assert "the capture was cut off" in daemon.command("capture", "--show", str(capture.path)).err
    capture.path.write_text("something else entirely")
    done = daemon.command("capture", "--show", str(capture.path))
    assert (done.code, "this is no capture" in done.err) == (1, True)
