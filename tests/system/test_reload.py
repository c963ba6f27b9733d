"""A reload that succeeds: what has changed takes effect, and nobody's messages are lost."""

from __future__ import annotations

import pytest

from commscaffoldd.client.errors import ConnectionClosed
from commscaffoldd.client.frame_client import FrameClient
from commscaffoldd.core.layout import PRESETS
from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.ports import is_free
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

VERSION = """
    from commscaffoldd import handler

    @handler(5)
    def version(request):
        return b"{}"
    """


def test_changed_plugin_code_takes_effect(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.plugin("version", VERSION.format("one"))
    daemon.start()
    before = daemon.worker_pids()
    with daemon.connect() as old:
        assert old.call(5) == b"one"
        daemon.plugin("version", VERSION.format("two"))

        done = daemon.reload()

        with daemon.connect() as new:
            assert new.call(5) == b"two"
        assert old.call(5) == b"two"
    assert "1 connection moved" in done.out
    after = daemon.worker_pids()
    assert not set(before) & set(after)
    assert all(str(pid) in done.out for pid in [*before, *after])
    wait_until(lambda: len(daemon.pids()) == 3)
    assert daemon.status()["last_reload"]["ok"]
    assert daemon.status()["restarts"]["count"] == 0


def test_added_and_removed_plugins_take_effect(daemon: Daemon) -> None:
    daemon.start()
    path = daemon.plugin("version", VERSION.format("one"))
    daemon.reload()
    with daemon.connect() as client:
        assert client.call(5) == b"one"
    path.unlink()
    daemon.reload()
    assert "version" not in daemon.command("routes").out


def test_a_package_whose_inner_module_has_changed_takes_effect(daemon: Daemon) -> None:
    folder = daemon.plugins / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .inner import version")
    for text in ("one", "two"):
        (folder / "inner.py").write_text(
            f"from commscaffoldd import handler\n@handler(5)\ndef version(request): return b'{text}'"
        )
        _ = daemon.start() if text == "one" else daemon.reload()
        with daemon.connect() as client:
            assert client.call(5) == text.encode()


def test_changed_configuration_takes_effect(daemon: Daemon) -> None:
    daemon.start()
    log = daemon.folder / "new.log"
    daemon.configure(
        daemon={"workers": 3}, frame={"max_body": 10}, log={"file": str(log), "format": "json", "level": "debug"}
    )

    daemon.reload()

    assert len(daemon.ready()) == 3
    assert '"message": "reloaded: 3 new workers serve' in log.read_text()
    assert daemon.status()["log"] == str(log)
    with daemon.connect() as client:
        assert client.call(1, b"x" * 10) == b"x" * 10
        client.send(1, b"x" * 11)
        with pytest.raises(ConnectionClosed):
            client.receive()
    wait_until(lambda: "bad frame" in log.read_text())


def test_listeners_are_added_removed_and_changed(daemon: Daemon) -> None:
    kept, removed, added = daemon.free_address(), daemon.free_address(), daemon.free_address()
    unix = daemon.unix_address("s")
    daemon.configure(listen=[{"address": kept}, {"address": removed}, {"address": unix}])
    daemon.start()
    with FrameClient(removed) as old:
        assert old.call(1, b"old") == b"old"
        daemon.configure(
            listen=[{"address": kept, "layout": "compact"}, {"address": added}, {"address": unix, "layout": "erlang"}]
        )

        done = daemon.reload()

        assert f"1 connection could not: {removed} is no listener any more" in done.out
        assert old.receive().id == PRESETS["standard"].go_away_id
        with pytest.raises(ConnectionClosed):
            old.receive()
    wait_until(lambda: is_free(int(removed.rpartition(":")[2])))  # until it ends the old worker holds it open
    with pytest.raises(ConnectionRefusedError):
        FrameClient(removed)
    for address, layout in ((kept, "compact"), (added, "standard"), (unix, "erlang")):
        with FrameClient(address, PRESETS[layout]) as client:
            assert client.call(1, b"new") == b"new"
    assert [one["address"] for one in daemon.status()["listen"]] == [kept, added, unix]

    daemon.configure(listen=[{"address": added}])
    daemon.reload()
    assert not (daemon.folder / "s").exists()


def test_without_handover_clients_are_told_to_reconnect_and_nothing_is_lost(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2, "handover_timeout": 0}, flood={"enabled": False})
    daemon.start()
    for _ in range(3):
        with Load(daemon.address(), 24, in_flight=8) as load:
            load.flows()
            daemon.reload()
            wait_until(lambda load=load: all(one.ended for one in load.talkers))  # type: ignore[misc]
            # Every one was told before it was closed. What its worker had received was answered: replies came in
            # order, without a gap, up to go away.
            assert [one.error for one in load.talkers if one.error] == []
            untold = [one.name for one in load.talkers if not one.told]
            assert untold == [], daemon.log()
            assert all(one.received > 0 for one in load.talkers)
    assert daemon.count("handler_errors") == 0


SLOW = """
    import time
    from commscaffoldd import handler

    @handler(7)
    def slow(request):
        time.sleep(0.1)
        return request.body
    """


def test_without_handover_messages_that_the_old_worker_has_received_are_all_answered(daemon: Daemon) -> None:
    daemon.configure(daemon={"handover_timeout": 0})
    daemon.plugin("slow", SLOW)
    daemon.start()
    with daemon.connect() as client:
        for number in range(10):
            client.send(7, b"%d" % number)
        wait_until(lambda: daemon.count("messages_in") == 10)
        daemon.reload()
        assert [client.receive().body for _ in range(10)] == [b"%d" % number for number in range(10)]
        assert client.receive().id == daemon.layout().go_away_id
        with pytest.raises(ConnectionClosed):
            client.receive()


def test_new_clients_are_served_while_the_old_worker_finishes(daemon: Daemon) -> None:
    daemon.configure(daemon={"handover_timeout": 0})
    daemon.plugin("slow", SLOW)
    daemon.start()
    with daemon.connect() as old:
        for _ in range(20):
            old.send(7)
        wait_until(lambda: daemon.count("messages_in") == 20)
        daemon.reload()
        assert "retiring" in [worker["state"] for worker in daemon.status()["workers"]]
        for _ in range(10):
            with daemon.connect(timeout=2) as new:
                assert new.call(1, b"new") == b"new"


SLOW_TO_LOAD = """
    import time
    from commscaffoldd import handler
    time.sleep({seconds})

    @handler(9)
    def nothing(request): ...
    """


def test_two_reloads_at_once(daemon: Daemon) -> None:
    daemon.plugin("slow", SLOW_TO_LOAD.format(seconds=0.3))
    daemon.start()
    first, second = daemon.begin("reload"), daemon.begin("reload")
    errors = [one.communicate()[1] for one in (first, second)]
    codes = [first.returncode, second.returncode]
    if codes != [0, 0]:  # they met
        assert sorted(codes) == [0, 1], errors
        assert "the daemon is reloading" in errors[codes.index(1)]
    wait_until(lambda: len(daemon.pids()) == 2)
    with daemon.connect() as client:
        assert client.call(1, b"x") == b"x"


def test_a_reload_that_is_asked_for_while_one_is_under_way_is_refused(daemon: Daemon) -> None:
    daemon.start()
    daemon.plugin("slow", SLOW_TO_LOAD.format(seconds=1))
    first = daemon.begin("reload")
    wait_until(lambda: daemon.status()["state"] == "reloading")
    second = daemon.command("reload")
    assert second.code == 1
    assert "the daemon is reloading" in second.err
    first.communicate()
    assert first.returncode == 0


def test_a_stop_in_the_middle_of_a_reload(daemon: Daemon) -> None:
    daemon.start()
    daemon.plugin("slow", "import time\ntime.sleep(30)")
    reloading = daemon.begin("reload")
    wait_until(lambda: daemon.status()["state"] == "reloading")
    daemon.stop()
    _, err = reloading.communicate()
    assert reloading.returncode != 0
    assert "Traceback" not in err
    assert not daemon.pids()
