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


LATER = """
    import asyncio, threading
    from commscaffoldd import handler, hookimpl

    class Store:
        pass

    @hookimpl
    async def worker_started(worker) -> Store:
        await asyncio.sleep(0)
        return Store()

    @handler(4, open=True)
    async def login(request, store: Store):
        await asyncio.sleep(0)
        if request.body == {password!r}:
            request.connection.authenticate("ann")
        return b"welcome"

    @handler(5)
    async def coroutine(request):
        await asyncio.sleep(0)
        return {body}

    @handler(6)
    def deferred(request):
        answer = request.defer()
        threading.Timer(0.01, lambda: answer.reply({body})).start()

    @handler(7)
    async def stream(request):
        yield b"1"
        yield {body}
    """


def test_what_is_answered_later_is_played_too(daemon: Daemon) -> None:
    def plugin(password: bytes = b"secret", body: str = "request.body") -> None:
        daemon.plugin("later", LATER.format(password=password, body=body))

    plugin()
    daemon.start()
    with capturing(daemon) as capture, daemon.connect() as client:
        assert client.call(4, b"secret") == b"welcome"
        assert client.call(5, b"a") == b"a"
        assert client.call(6, b"b") == b"b"
        client.send(7, b"c")
        assert [client.receive().body for _ in range(2)] == [b"1", b"c"]
        capture.end()

    done = daemon.command("reload", "--replay", str(capture.path))
    assert done.code == 0, done.err
    assert "its handlers have answered 4 messages" in done.err

    plugin(body="7")
    failed = daemon.command("check", "--replay", str(capture.path)).err
    for name in ("coroutine", "deferred", "stream"):
        assert f"handler {name} of plugin later: " in failed
    assert failed.count("TypeError: ") == 3

    plugin(password=b"another")
    done = daemon.command("reload", "--replay", str(capture.path))
    assert (done.code, done.err.count("log in first")) == (78, 3)


def test_what_cannot_be_replayed_is_refused(daemon: Daemon) -> None:
    daemon.start()
    (daemon.folder / "x.cap").write_text("something else")
    done = daemon.command("reload", "--replay", "x.cap")
    assert (done.code, "this is no capture" in done.err) == (78, True)
    assert daemon.command("reload", "--replay", "nowhere.cap").code == 2
    assert "the absolute path of a capture" in daemon.ask("reload", replay="x.cap")["errors"][0]
