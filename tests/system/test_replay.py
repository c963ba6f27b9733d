"""`replay`: a capture of one daemon, played to another one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.capture.records import Known, Received, Record, Sent, Spoken
from commscaffoldd.core.layout import PRESETS
from tests.capture.examples import HEADER, write_capture
from tests.system.capturing import capturing
from tests.system.daemon import Daemon, Done

pytestmark = pytest.mark.usefixtures("each_engine")

GREET = """
    from commscaffoldd import handler

    @handler(5)
    def greet(request):
        number = request.connection.session["n"] = request.connection.session.get("n", 0) + 1
        return b"{} %d " % number + request.body

    @handler(6)
    def quiet(request):
        request.connection.send(9, b"push")

    @handler(7)
    def fail(request):
        raise RuntimeError("no")
    """


def record(daemon: Daemon) -> Path:
    """A capture of two connections."""
    daemon.plugin("greet", GREET.format("hello"))
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as one, daemon.connect() as two:
        for text in (b"a", b"b"):
            assert one.call(5, text)
            assert two.call(5, text)
        one.send(6)
        one.receive()
        two.send(7)
        two.receive()
        assert capture.end().code == 0
    return capture.path


def replay(daemon: Daemon, path: Path, *words: str) -> tuple[Done, dict[str, Any]]:
    done = daemon.command("replay", str(path), daemon.address(), "--json", *words)
    assert done.out, done.err
    return done, json.loads(done.out)


@pytest.mark.parametrize("speed", ["1", "100", "max"])
def test_the_same_daemon_answers_the_same(daemon: Daemon, speed: str) -> None:
    path = record(daemon)
    done, result = replay(daemon, path, "--check", "--speed", speed)
    assert done.code == 0, result
    assert (result["connections"], result["messages"], result["replies"]) == (2, 6, 5)
    assert (result["errors"], result["recorded_errors"], result["pushes"]) == ({"3": 1}, 1, 1)
    assert (result["different"], result["missing"], result["failures"]) == (0, 0, [])


def test_another_answer_is_a_difference_only_if_that_is_checked(daemon: Daemon) -> None:
    path = record(daemon)
    daemon.plugin("greet", GREET.format("goodbye"))
    daemon.reload()
    assert replay(daemon, path, "--speed", "max")[0].code == 0
    done = daemon.command("replay", str(path), daemon.address(), "--speed", "max", "--check")
    assert done.code == 1
    assert "different      4" in done.out
    assert "recorded 'hello 1 a', now 'goodbye 1 a'" in done.out
    done, result = replay(daemon, path, "--speed", "max", "--check", "--id", "7")
    assert (done.code, result["messages"]) == (0, 1)


def test_a_reply_that_does_not_come_is_missing(daemon: Daemon) -> None:
    path = record(daemon)
    daemon.plugin("greet", GREET.replace("return b", "b").format("hello"))
    daemon.reload()
    done, result = replay(daemon, path, "--speed", "max", "--check", "--timeout", "0.3")
    assert (done.code, result["missing"], result["different"]) == (1, 4, 0)


def test_a_daemon_that_pushes_for_ever_is_not_waited_for(daemon: Daemon) -> None:
    daemon.plugin(
        "ticker",
        """
        import threading, time
        from commscaffoldd import handler

        @handler(5)
        def subscribe(request):
            threading.Thread(target=tick, args=[request.connection], daemon=True).start()

        def tick(connection):
            while connection.send(9, b"tick"):
                time.sleep(0.02)
        """,
    )
    daemon.start()
    path = write_capture(daemon.folder / "x.cap", Received(1, "1.0.0", 5, 1, b""), Sent(2, "1.0.0", 5, 1, b"answer"))
    done, result = replay(daemon, path, "--speed", "max", "--check", "--timeout", "0.3")
    assert (done.code, result["missing"]) == (1, 1)
    assert result["pushes"] > 2


def test_speed_is_kept(daemon: Daemon) -> None:
    daemon.start()
    steps: list[Record] = [Received(number * 300_000_000, "1.0.0", 1, number + 1, b"x") for number in range(3)]
    path = write_capture(daemon.folder / "x.cap", *steps)
    for speed, least, most in (("1", 0.6, 5), ("2", 0.3, 0.6), ("max", 0, 0.3)):
        began = time.monotonic()
        done, result = replay(daemon, path, "--speed", speed)
        assert (done.code, result["replies"]) == (0, 3)
        assert least <= result["seconds"] < max(most, (time.monotonic() - began) / 2)


def test_few_connections_at_a_time_play_all(daemon: Daemon) -> None:
    daemon.start()
    steps: list[Record] = [
        Received(step, f"1.{number}.0", 1, step + 1, b"%d" % number) for step in range(3) for number in range(20)
    ]
    done, result = replay(daemon, write_capture(daemon.folder / "x.cap", *steps), "--connections", "3")
    assert (done.code, result["connections"], result["replies"]) == (0, 20, 60)


@pytest.mark.parametrize("layout", ["compact", "zinx", "erlang"])
def test_other_layouts(daemon: Daemon, layout: str) -> None:
    daemon.configure(listen=[{"address": daemon.address(), "layout": layout, "default_id": 1}])
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        for text in (b"a", b"b", b"c"):
            assert client.call(1, text) == text
        capture.end()
    done, result = replay(daemon, capture.path, "--check", "--speed", "max")
    assert (done.code, result["replies"], result["different"]) == (0, 3, 0), result


def test_large_bodies_and_many_messages(daemon: Daemon) -> None:
    daemon.start()
    steps: list[Record] = [Received(number, "1.0.0", 1, number + 1, bytes(50_000)) for number in range(200)]
    done, result = replay(daemon, write_capture(daemon.folder / "x.cap", *steps), "--speed", "max")
    assert (done.code, result["replies"]) == (0, 200)


def test_connections_that_fail_are_named(daemon: Daemon) -> None:
    path = write_capture(daemon.folder / "x.cap")
    done, result = replay(daemon, path)
    assert done.code == 1
    assert "Connection refused" in result["failures"][0]
    daemon.configure(frame={"on_unknown_id": "close"})
    daemon.start()
    path.unlink()
    write_capture(path, Received(1, "1.0.0", 99, 1, b""), Received(600_000_000, "1.0.0", 1, 2, b""))
    done, result = replay(daemon, path)
    assert (done.code, result["failed"]) == (1, 1)
    assert "after 1 of 2 messages" in result["failures"][0]


def test_what_cannot_be_played_is_said(daemon: Daemon) -> None:
    path = daemon.folder / "x.cap"
    path.write_text("something else")
    done = daemon.command("replay", str(path), daemon.address())
    assert (done.code, "this is no capture" in done.err) == (1, True)
    path.unlink()
    other = Spoken("127.0.0.1:1", "zinx", PRESETS["zinx"].spec, 1)
    header = type(HEADER)("0.1.0", 0.0, 0, (*HEADER.spoken, other))
    known = [Known(1, f"1.{n}.0", "", one.listen, one.layout, opened=True) for n, one in enumerate(header.spoken)]
    write_capture(path, *known, *(Received(2, f"1.{n}.0", 1, 0, b"") for n in range(2)), header=header)
    done = daemon.command("replay", str(path), daemon.address())
    assert done.code == 2
    assert "choose with --from LISTEN: 127.0.0.1:1, 127.0.0.1:9000" in done.err
    for words in (["--speed", "0"], ["--speed", "fast"], ["--peer", "x"], ["--layout", "x"]):
        assert daemon.command("replay", str(path), daemon.address(), *words).code == 2
    path.unlink()
    write_capture(path, Sent(1, "1.0.0", 1, 1, b""))
    assert "nothing in it that a client sent" in daemon.command("replay", str(path), daemon.address()).err
