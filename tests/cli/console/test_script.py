"""A console whose lines come through a pipe."""

from __future__ import annotations

import socket
import subprocess

from commscaffoldd.client import Frame
from commscaffoldd.core.layout import PRESETS
from tests.cli.running import PROGRAM, Run
from tests.client.frame_server import frame_server

STANDARD = PRESETS["standard"]


def echo(frame: Frame) -> bytes | None:
    return STANDARD.encode(*frame) if frame.id != 9 else None


def test_each_line_is_sent_and_answered_in_its_order(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("console", server.address, input=b"# two messages\n1 one\n\n2 two")
    assert result.exit_code == 0
    assert [line.partition(": ")[2] for line in result.stdout.splitlines()] == ["one", "two"]
    assert [(frame.id, frame.sequence) for frame in server.received] == [(1, 1), (2, 2)]


def test_a_line_that_fails_does_not_end_it_and_shows_in_the_exit_code(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("console", server.address, input=b"nonsense\n1 one\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].endswith(": one")


def test_quit_ends_it(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("console", server.address, input=b"quit\n1 one\n")
    assert (result.exit_code, server.received) == (0, [])


def test_a_connection_that_ends_ends_it(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("console", server.address, input=b"9 x\n1 one\n")
    assert result.exit_code == 1
    assert [frame.id for frame in server.received] == [9]


def test_nobody_there(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    result = run("console", address, input=b"1 x\n")
    assert (result.exit_code, result.stdout) == (1, f"cannot connect to {address}: Connection refused\n")


def test_any_bytes_go_through(run: Run) -> None:
    with frame_server(echo) as server:
        assert run("console", server.address, input=b"1 \xff\xfe\n").exit_code == 0
    assert server.received[0].body == b"\xff\xfe"


def test_it_ends_though_there_may_be_more_to_read(run: Run) -> None:
    del run  # sets the configuration
    with (
        frame_server(echo) as server,
        subprocess.Popen(
            [*PROGRAM, "console", server.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"quit\n")
        process.stdin.flush()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""
