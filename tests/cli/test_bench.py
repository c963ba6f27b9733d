from __future__ import annotations

import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from commscaffoldd.client import Frame
from commscaffoldd.core.layout import PRESETS
from tests.cli.running import PROGRAM, Run
from tests.client.frame_server import frame_server

STANDARD = PRESETS["standard"]
COMPACT = PRESETS["compact"]
SHORTLY = ("--connections", "2", "--warm-up", "0", "--duration", "0.2")


def echo(frame: Frame) -> bytes:
    return STANDARD.encode(*frame)


def unknown_id(frame: Frame) -> bytes:
    assert STANDARD.error_id is not None
    body = struct.pack(">IH", frame.id, 1) + b"no handler"
    return STANDARD.encode(STANDARD.error_id, frame.sequence, body)


def test_it_prints_rate_latencies_and_their_distribution(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("bench", server.address, *SHORTLY)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{server.address}: layout standard, message ID 1, bodies of 64 bytes"
    assert lines[1].startswith("2 connections, 1 in flight each; measured for 0.2")
    assert re.fullmatch(r"messages  [\d,]+, [\d,]+ /s", lines[3])
    assert re.fullmatch(r"latency +p50 +p90 +p99 +p99\.9 +max", lines[7])
    assert "█" * 40 in result.stdout


def test_json_is_one_object_with_everything(run: Run) -> None:
    with frame_server(echo) as server:
        result = run("bench", server.address, *SHORTLY, "--json", "--size", "100", "--in-flight", "3")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["address"], found["layout"], found["id"]) == (server.address, "standard", 1)
    assert (found["body_bytes"], found["connections"], found["in_flight"]) == (100, 2, 3)
    assert (found["errors"], found["error_count"], found["interrupted"]) == ([], 0, False)
    assert found["rate"] == pytest.approx(found["messages"] / found["duration_s"], rel=0.01)
    assert found["received_bytes"] == found["messages"] * 116
    latency = found["latency_us"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    counted = sum(bucket["count"] for bucket in found["histogram"])
    assert found["messages"] <= counted <= found["messages"] + 6
    assert all(bucket["from_us"] <= bucket["to_us"] for bucket in found["histogram"])


def test_error_replies_are_shown_by_code_with_exit_code_1(run: Run) -> None:
    with frame_server(unknown_id) as server:
        result = run("bench", server.address, *SHORTLY, "--id", "0x2a")
        in_json = run("bench", server.address, *SHORTLY, "--id", "0x2a", "--json")
    assert server.received[0].id == 42
    assert (result.exit_code, in_json.exit_code) == (1, 1)
    assert re.search(
        r"^ *[\d,]+  error reply: error 1 \(unknown message ID\): no handler$", result.stdout, re.MULTILINE
    )
    (error,) = json.loads(in_json.stdout)["errors"]
    assert (error["kind"], error["code"], error["text"]) == ("error_reply", 1, "no handler")
    assert error["count"] > 0


def test_no_reply_ends_it_in_time(run: Run) -> None:
    began = time.monotonic()
    with frame_server(lambda _: b"") as server:
        result = run("bench", server.address, "--connections", "3", "--timeout", "0.2", "--duration", "60")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-2:] == ["ERRORS  WHAT", "     3  no reply within 0.2 seconds"]
    assert time.monotonic() - began < 10


def test_a_server_that_closes_connections_may_limit_them(run: Run) -> None:
    with frame_server(lambda _: None) as server:
        result = run("bench", server.address, *SHORTLY)
    assert result.exit_code == 1
    assert "2  the server closed the connection" in result.stdout
    assert "[flood]" in result.stdout


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_nobody_there_is_one_line(run: Run, more: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    result = run("bench", address, *more)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: cannot connect to {address}: Connection refused\n"


def test_the_body_can_be_given(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "body").write_bytes(b"\0\1\2")
    with frame_server(lambda f: COMPACT.encode(*f), COMPACT) as server:
        for body in ("hello", f"@{tmp_path}/body"):
            assert run("bench", server.address, *SHORTLY, "--layout", "compact", "--body", body).exit_code == 0
    assert {frame.body for frame in server.received} == {b"hello", b"\0\1\2"}


def test_id_0_is_a_heartbeat_without_a_body(run: Run) -> None:
    with frame_server(echo) as server:
        assert run("bench", server.address, *SHORTLY, "--id", "0").exit_code == 0
    assert set(server.received) == {Frame(0, 0, b"")}


@pytest.mark.parametrize(
    "words",
    [
        ("nowhere",),
        ("127.0.0.1:1", "--connections", "0"),
        ("127.0.0.1:1", "--in-flight", "0"),
        ("127.0.0.1:1", "--duration", "0"),
        ("127.0.0.1:1", "--id", "-1"),
        ("127.0.0.1:1", "--reply-id", "x"),
        ("127.0.0.1:1", "--size", "1", "--body", "x"),
        ("127.0.0.1:1", "--layout", "compact", "--size", "70000"),
        ("127.0.0.1:1", "--layout", "compact", "--any-order"),
        ("127.0.0.1:1", "--layout", "nonsense"),
    ],
)
def test_wrong_usage_exits_2_before_anything_is_sent(run: Run, words: tuple[str, ...]) -> None:
    result = run("bench", *words)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_ctrl_c_ends_it_and_prints_what_was_measured(more: tuple[str, ...]) -> None:
    with frame_server(echo) as server:
        words = ("bench", server.address, "--connections", "2", "--warm-up", "0", "--duration", "60", *more)
        process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 20
        while len(server.received) < 100 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")
    if more:
        found = json.loads(out)
        assert found["interrupted"]
        assert found["messages"] > 0
    else:
        assert re.search(r"measured for \d\.\d\d s of 60 s", out)
