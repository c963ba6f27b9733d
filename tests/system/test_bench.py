"""`bench` against a real daemon, and against what is none."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest

from tests.system.conftest import NewDaemon
from tests.system.daemon import Daemon, Done
from tests.system.waiting import wait_until

LAYOUTS = ("standard", "compact", "erlang")
HALF_A_SECOND = ("--connections", "10", "--warm-up", "0.1", "--duration", "0.5")


@pytest.fixture(scope="module")
def daemon(new_shared_daemon: NewDaemon) -> Daemon:
    made = new_shared_daemon()
    listen = [{"address": made.free_address(), "layout": name} for name in LAYOUTS]
    # These tests are about what bench measures: how fast they are must not end them.
    made.configure(listen=listen, flood={"enabled": False})
    made.start()
    return made


def found(done: Done) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_echo_is_measured_without_an_error(daemon: Daemon, name: str) -> None:
    before = daemon.settled("messages_in")
    done = daemon.command("bench", daemon.address(LAYOUTS.index(name)), *HALF_A_SECOND, "--in-flight", "4", "--json")
    assert (done.code, done.err) == (0, "")
    result = found(done)
    assert (result["layout"], result["connections"], result["connections_opened"]) == (name, 10, 10)
    assert (result["errors"], result["error_count"], result["pushes"]) == ([], 0, 0)
    assert result["messages"] > 100
    assert 0.5 <= result["duration_s"] < 2
    # All that was sent was answered; what was answered while warming up was not counted.
    answered = sum(bucket["count"] for bucket in result["histogram"])
    assert result["messages"] <= answered <= daemon.settled("messages_in") - before


def test_a_message_id_without_a_handler_gives_error_replies(daemon: Daemon) -> None:
    done = daemon.command("bench", daemon.address(), *HALF_A_SECOND, "--id", "4711", "--json")
    assert done.code == 1
    result = found(done)
    assert result["messages"] == 0
    (error,) = result["errors"]
    assert (error["kind"], error["code"]) == ("error_reply", 1)
    assert "4711" in error["text"]
    assert error["count"] == result["error_count"] > 0


def test_people_see_what_the_daemon_says(daemon: Daemon) -> None:
    done = daemon.command("bench", daemon.address(), *HALF_A_SECOND, "--id", "4711")
    assert done.code == 1
    assert "error reply: error 1 (unknown message ID): no handler for message ID 4711" in done.out


def test_a_flood_is_cut_off_and_said(new_shared_daemon: NewDaemon) -> None:
    flooded = new_shared_daemon()
    flooded.configure(flood={"rate": 10, "burst": 20})
    flooded.start()
    done = flooded.command("bench", flooded.address(), "--connections", "2", "--duration", "30")
    assert done.code == 1
    assert "2  the server closed the connection" in done.out
    assert "[flood]" in done.out


def test_a_closed_port_is_a_clear_error(daemon: Daemon) -> None:
    address = daemon.free_address()
    done = daemon.command("bench", address)
    assert (done.code, done.out, done.err) == (1, "", f"error: cannot connect to {address}: Connection refused\n")


def test_who_never_answers_ends_it_after_the_timeout(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        began = time.monotonic()
        done = daemon.command(
            "bench",
            f"127.0.0.1:{silent.getsockname()[1]}",
            *("--connections", "20", "--timeout", "0.5", "--duration", "60", "--json"),
        )
    assert time.monotonic() - began < 20
    assert done.code == 1
    (error,) = found(done)["errors"]
    assert (error["kind"], error["count"]) == ("no_reply", 20)
    assert error["text"] == "no reply within 0.5 seconds"


def test_a_daemon_that_stops_under_load_says_go_away(new_shared_daemon: NewDaemon) -> None:
    """That is no error. But nobody is there to connect anew to: the listener refuses, or ends with its backlog."""
    stopping = new_shared_daemon()
    stopping.configure(flood={"enabled": False})
    stopping.start()
    bench = stopping.begin("bench", stopping.address(), "--connections", "5", "--duration", "60", "--json")
    wait_until(lambda: stopping.count("messages_in") > 100)
    stopping.stop()
    out, err = bench.communicate(timeout=30)
    assert (bench.returncode, err) == (1, "")
    result = json.loads(out)
    assert result["go_aways"] == 5
    assert {error["kind"] for error in result["errors"]} <= {"refused", "reset"}, result["errors"]
    assert result["error_count"] == 5


@pytest.mark.parametrize(("handover_timeout", "go_aways"), [(10, 0), (0, 5)])
def test_a_reload_under_load_loses_no_connection(
    new_shared_daemon: NewDaemon, handover_timeout: int, go_aways: int
) -> None:
    reloading = new_shared_daemon()
    reloading.configure(daemon={"handover_timeout": handover_timeout}, flood={"enabled": False})
    reloading.start()
    bench = reloading.begin("bench", reloading.address(), "--connections", "5", "--duration", "8", "--json")
    wait_until(lambda: reloading.count("messages_in") > 100)
    reloading.reload()
    out, err = bench.communicate(timeout=30)
    assert (bench.returncode, err) == (0, ""), out[-2000:]
    result = json.loads(out)
    assert result["go_aways"] == go_aways
    assert result["connections_opened"] == 5 + go_aways
