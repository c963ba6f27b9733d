"""tshark decodes a capture of a running daemon's own traffic, on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commscaffoldd.client import FrameClient
from tests.system.daemon import Daemon
from tests.system.waiting import wait_until
from tests.wireshark_tools import dissect, environment, needs_tshark

PLUGIN = """
import msgspec
from commscaffoldd import Refuse, handler

class Greeting(msgspec.Struct):
    name: str

@handler(10)
def greet(request, body: Greeting) -> str:
    request.connection.send(99, b"pushed")
    return "hello, " + body.name

@handler(11)
def refuse(request) -> bytes:
    raise Refuse(1007, "not today")
"""

pytestmark = [
    needs_tshark,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("dumpcap") is None, reason="needs root and dumpcap, to capture on loopback"
    ),
]


@contextmanager
def capturing(file: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Capture what goes to and from a port of this machine; the daemon's own traffic and nobody else's."""
    line = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-a", "duration:50", "-w", str(file)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, env=environment(file.parent)) as dumpcap:
        try:
            wait_until(lambda: file.exists() and file.stat().st_size > 0, what="dumpcap to begin")
            yield dumpcap
        finally:
            dumpcap.terminate()
            dumpcap.wait(20)


def test_live_traffic(daemon: Daemon, tmp_path: Path) -> None:
    daemon.plugin("sample", PLUGIN)
    daemon.start()
    script, capture = tmp_path / "protocol.lua", tmp_path / "live.pcapng"
    done = daemon.command("dissector", "-o", str(script))
    assert (done.code, done.err) == (0, "")
    port = int(daemon.address().rpartition(":")[2])
    with capturing(capture, port), FrameClient(daemon.address(), timeout=15.0) as client:
        client.send(10, b"\x81\xa4name\xa3Ann", 1)
        while client.receive().id != 10:
            pass
        client.send(11, b"x", 2)
        client.receive()
        client.send(0)
        client.receive()
        wait_until(
            lambda: len(dissect(capture, script, "-Y", 'commscaffoldd.kind == "heartbeat"')) == 2, what="the end"
        )
    packets = dissect(capture, script, "-Y", "commscaffoldd")
    rows = [
        (kind, message, sequence, good)
        for one in packets
        for kind, message, sequence, good in zip(
            one["kind"], one["message"], one["sequence"], one["crc32.good"], strict=True
        )
    ]
    assert sorted(rows[:3]) == [
        ("push", "message 99", "0", "1"),
        ("reply", "greet", "1", "1"),
        ("request", "greet", "1", "1"),
    ]
    assert rows[3:] == [
        ("request", "refuse", "2", "1"),
        ("error reply", "error reply", "2", "1"),
        ("heartbeat", "heartbeat", "0", "1"),
        ("heartbeat", "heartbeat", "0", "1"),
    ]
    (error,) = [one for one in packets if "error.code" in one]
    assert (error["error.code"], error["error.text"]) == (["1007"], ["not today"])
    (greeting,) = [one for one in packets if "value" in one]
    assert greeting["value"] == ["map of 1", '"Ann"']
    assert [text for one in packets for text in one.get("text", ())] == ["hello, Ann"]
