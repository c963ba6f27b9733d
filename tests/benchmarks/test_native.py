"""The load generator against real servers: what it counts, and that it notices what is wrong."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from zlib import crc32

import pytest

from benchmarks.suite.launch import Running, start
from benchmarks.suite.results import LoadResult, parse_load
from benchmarks.suite.servers import SERVERS

HEADER = Struct(">IIII")
PATIENCE = 40.0


def call(programs: Path, port: int, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [str(programs / "load"), "--seconds", "0.3", "--warm-up", "0.05", *options, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)


def load(programs: Path, port: int, *options: str) -> LoadResult:
    done = call(programs, port, *options)
    assert done.returncode in {0, 1}, done.stderr
    return parse_load(done.stdout)


@pytest.fixture(params=["c-loop", "asyncio"])
def running(request: pytest.FixtureRequest, programs: Path) -> Iterator[Running]:
    server = next(one for one in SERVERS if one.name == request.param)
    with start(server, programs) as started:
        yield started


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="64 bytes"),
        pytest.param(("--in-flight", "16"), id="16 in flight"),
        pytest.param(("--body", "0"), id="no body"),
        pytest.param(("--connections", "4", "--in-flight", "8", "--body", "1000000"), id="more than sockets take"),
    ],
)
def test_all_replies_come_and_are_right(programs: Path, running: Running, options: tuple[str, ...]) -> None:
    result = load(programs, running.port, *options)

    assert (result.errors, result.first_error) == (0, "")
    assert result.fast.messages > 0
    assert 0 < result.fast.p50_us <= result.fast.p99_us <= result.fast.max_us


def test_connections_beside_compute_for_5_ms(programs: Path, running: Running) -> None:
    result = load(programs, running.port, "--beside", "2", "--watch", str(running.pids()[0]))

    assert result.errors == 0
    assert result.beside
    assert result.beside.messages > 0
    assert result.beside.p50_us >= 5000.0
    assert result.server_cpu_us >= result.beside.messages * 4000


def test_idle_connections_are_kept_until_standard_input_ends(programs: Path, running: Running) -> None:
    command = [str(programs / "idle"), "127.0.0.1", str(running.port), "50"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=PATIENCE, check=False)

    assert done.stdout == b'ready\n{"connections": 50, "closed": 0}\n'
    assert done.returncode == 0


def answer_one(listener: socket.socket, reply: bytes) -> None:
    """Take one message of one client, answer this, and keep the connection until the client has gone."""
    client, _ = listener.accept()
    with client:
        client.recv(65536)
        client.sendall(reply)
        while client.recv(65536):
            pass


GOOD = bytes((0, 167, 78, 245))  # what the load generator sends as a body of four bytes
CRC = crc32(GOOD)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(HEADER.pack(3, 1, 1, CRC) + GOOD[:3], "length, id, sequence, crc32 are 3, 1, 1,", id="length"),
        pytest.param(HEADER.pack(4, 9, 1, CRC) + GOOD, "are 4, 9, 1,", id="id"),
        pytest.param(HEADER.pack(4, 1, 2, CRC) + GOOD, "are 4, 1, 2,", id="sequence"),
        pytest.param(
            HEADER.pack(4, 1, 1, 0) + GOOD, f"are 4, 1, 1, 00000000, expected 4, 1, 1, {CRC:08x}", id="crc32"
        ),
    ],
)
def test_a_wrong_reply_is_an_error_that_says_what_is_wrong(programs: Path, reply: bytes, error: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_one, args=(listener, reply))
        server.start()
        done = call(programs, listener.getsockname()[1], "--connections", "1", "--body", "4")
        server.join()

    assert done.returncode == 1
    result = parse_load(done.stdout)
    assert result.errors == 1
    assert "connection 0, after 0 replies: " in result.first_error
    assert error in result.first_error


def echo_spoiled(listener: socket.socket) -> None:
    """Send one message back with its last byte changed."""
    client, _ = listener.accept()
    with client:
        frame = bytearray(client.recv(65536))
        frame[-1] ^= 1
        client.sendall(frame)
        while client.recv(65536):
            pass


def test_a_spoiled_body_is_noticed(programs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=echo_spoiled, args=(listener,))
        server.start()
        done = call(programs, listener.getsockname()[1], "--connections", "1")
        server.join()

    assert done.returncode == 1
    assert "the reply's body is not the message's" in parse_load(done.stdout).first_error


def test_a_server_that_closes_is_an_error(programs: Path) -> None:
    def close_one() -> None:
        listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=close_one)
        server.start()
        result = load(programs, listener.getsockname()[1], "--connections", "1")
        server.join()

    assert result.errors == 1
    assert "connection 0, after 0 replies: " in result.first_error


def test_nobody_listening_is_said_at_once(programs: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = reserved.getsockname()[1]
        done = call(programs, port)

    assert done.returncode == 2
    assert done.stderr == f"load: connection 0 to 127.0.0.1:{port}: Connection refused\n".encode()


def test_a_wrong_option_says_what_is_allowed(programs: Path) -> None:
    done = call(programs, 9000, "--in-flight", "0")

    assert done.returncode == 2
    assert done.stderr == b"load: --in-flight 0: a number from 1 to 10000 is wanted\n"
