"""`reload --replay`: recorded messages through the new handlers, before anybody relies on them."""

from __future__ import annotations

import pytest

from tests.system.capturing import capturing
from tests.system.daemon import Daemon

pytestmark = pytest.mark.usefixtures("each_engine")

GREET = """
    from commscaffoldd import handler

    @handler(5)
    def greet(request):
        number = request.connection.session["n"] = request.connection.session.get("n", 0) + 1
        return {}
    """


def test_a_reload_that_would_break_what_clients_send_is_refused(daemon: Daemon) -> None:
    daemon.plugin("greet", GREET.format("request.body.upper()"))
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        for text in (b"a", b"b", b"c\xff"):
            assert client.call(5, text) == text.upper()
        capture.end()
    path = str(capture.path)
    before = daemon.worker_pids()

    daemon.plugin("greet", GREET.format("request.body.decode().upper().encode()"))
    done = daemon.command("reload", "--replay", path)

    assert done.code == 78
    assert f"{path}: record 8: message ID 5, handler greet of plugin greet: " in done.err
    assert "greet.py:" in done.err
    assert "UnicodeDecodeError" in done.err
    assert "The running workers have not noticed." in done.err
    assert daemon.worker_pids() == before
    checked = daemon.command("check", "--replay", path)
    assert (checked.code, "record 8" in checked.err) == (78, True)

    daemon.plugin("greet", GREET.format("request.body.upper() + b'%d' % number"))
    assert "replayed     3 messages" in daemon.command("check", "--replay", path).out
    done = daemon.command("reload", "--replay", "x.cap")
    assert done.code == 0, done.err
    assert "its handlers have answered 3 messages" in done.err
    assert daemon.worker_pids() != before
    with daemon.connect() as client:
        assert client.call(5, b"a") == b"A1"


def test_what_cannot_be_replayed_is_refused(daemon: Daemon) -> None:
    daemon.start()
    (daemon.folder / "x.cap").write_text("something else")
    done = daemon.command("reload", "--replay", "x.cap")
    assert (done.code, "this is no capture" in done.err) == (78, True)
    assert daemon.command("reload", "--replay", "nowhere.cap").code == 2
    assert "the absolute path of a capture" in daemon.ask("reload", replay="x.cap")["errors"][0]
