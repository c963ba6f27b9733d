"""The login gate of a real daemon: refused before, handled behind, closed in time, kept over a reload."""

from __future__ import annotations

import json
import time

import pytest

from commscaffoldd.core.endpoint import REFUSED, encode_error
from tests.system.daemon import Daemon
from tests.system.raw import Raw
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

DOOR = """
    from commscaffoldd import handler

    @handler(10, open=True)
    def log_in(request):
        request.connection.authenticate({"name": request.body.decode()})
        return b"welcome"

    @handler(11)
    def who(request):
        return request.connection.user["name"].encode()
    """


def refused(message_id: int) -> bytes:
    return encode_error(message_id, REFUSED, f"message ID {message_id} needs a login: log in first")


def test_handlers_of_every_plugin_are_behind_the_gate(daemon: Daemon) -> None:
    daemon.plugin("door", DOOR)
    daemon.start()
    with daemon.connect() as client:
        client.send(1, b"hello")  # that of the plugin echo
        assert client.receive().body == refused(1)
        assert client.call(10, b"ann") == b"welcome"
        assert client.call(1, b"hello") == b"hello"
        assert client.call(11) == b"ann"
        (row,) = daemon.ask("connections")["connections"]
        assert row["user"] == "{'name': 'ann'}"
    assert daemon.settled("login_refusals") == 1
    assert "login refusals 1" in daemon.command("status").out
    routes = json.loads(daemon.command("routes", "--json").out)
    assert {route["id"]: route["open"] for route in routes} == {1: False, 2: False, 10: True, 11: False}


def test_user_and_deadline_survive_a_reload(daemon: Daemon) -> None:
    daemon.plugin("door", DOOR)
    daemon.configure(login={"timeout": 3.0}, log={"level": "debug"})
    daemon.start()
    with daemon.connect() as known, Raw(daemon.address()) as stranger:
        began = time.monotonic()
        assert known.call(10, b"ann") == b"welcome"
        wait_until(lambda: daemon.gauge("connections") == 2)
        wait_until(lambda: time.monotonic() - began > 1.5)
        daemon.reload()
        reloaded = time.monotonic()
        assert known.call(11) == b"ann"
        assert stranger.receive_all() == b""
        ended = time.monotonic()
        assert ended - began > 2.9
        # From the reload on, since that takes as long as it takes when the machine is busy.
        assert ended - reloaded < 2.2, "the deadline is that of the beginning"
        line = f"closed {stranger.name}: login timeout: nobody has logged in within 3 s"
        wait_until(lambda: daemon.log_lines(line))
        assert daemon.settled("login_timeouts") == 1
        assert known.call(11) == b"ann"


def test_a_reload_that_brings_a_gate_gives_everybody_the_whole_time(daemon: Daemon) -> None:
    daemon.configure(login={"timeout": 2.0})
    daemon.start()
    with daemon.connect() as client:
        assert client.call(1, b"hello") == b"hello"
        opened = time.monotonic()
        wait_until(lambda: time.monotonic() - opened > 2.0)
        daemon.plugin("door", DOOR)
        daemon.reload()
        assert client.call(10, b"ann") == b"welcome"
