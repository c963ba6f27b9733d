"""`upgrade` replaces the master too: listeners, connections, pidfile and control socket go along."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import pytest

from commscaffoldd.client.frame_client import FrameClient
from commscaffoldd.core.layout import PRESETS
from tests.system.crowd import check, crowd
from tests.system.daemon import PROGRAM, Daemon
from tests.system.load import Load
from tests.system.ports import is_free
from tests.system.processes import is_alive
from tests.system.service_manager import ServiceManager
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

UNNOTICED = "The daemon goes on as it was, and no client has noticed."


def test_no_client_notices_an_upgrade(daemon: Daemon) -> None:
    with crowd(daemon) as load:
        for _ in range(3):
            master, workers, handled = daemon.master_pid(), daemon.ready(), daemon.settled("messages_in")
            done = daemon.command("upgrade")
            assert done.code == 0, (done.err, daemon.log())
            assert "60 connections moved" in done.out
            assert f"pid {master}, is now" in done.out
            assert daemon.master_pid() != master
            assert f"pid {daemon.master_pid()}\n" in done.out
            assert daemon.status()["pid"] == daemon.master_pid()
            assert min(daemon.ready()) > max(workers)  # no number is used twice
            wait_until(lambda master=master: not is_alive(master))  # type: ignore[misc]
            wait_until(lambda handled=handled: daemon.count("messages_in") >= handled)  # type: ignore[misc]
            load.flows()
        check(load)
    wait_until(lambda: len(daemon.pids()) == 3)
    daemon.stop()
    assert not daemon.pidfile.exists()
    assert not daemon.control_socket.exists()
    assert is_free(int(daemon.address().rpartition(":")[2]))


def test_every_kind_of_listener_goes_along(daemon: Daemon) -> None:
    shared, own, unix = daemon.free_address(), daemon.free_address(), daemon.unix_address("s")
    daemon.configure(
        daemon={"workers": 2},
        listen=[
            {"address": shared, "accept": "mutex"},
            {"address": own, "accept": "reuseport", "layout": "compact"},
            {"address": unix, "layout": "erlang"},
        ],
    )
    daemon.start()
    speaking = [(shared, "standard"), (own, "compact"), (unix, "erlang")]
    old = [FrameClient(address, PRESETS[layout]) for address, layout in speaking]
    for _ in range(2):
        assert daemon.command("upgrade").code == 0
        assert all(client.call(1, b"old") == b"old" for client in old)
        for address, layout in speaking:
            for _ in range(4):
                with FrameClient(address, PRESETS[layout]) as client:
                    assert client.call(1, b"new") == b"new"
    for client in old:
        client.close()
    daemon.stop()
    assert not (daemon.folder / "s").exists()


BROKEN = {
    "syntax": ("def (:", 78, "broken"),
    "import": ("import nothing_of_this_name", 78, "nothing_of_this_name"),
    "self-test": (
        "from commscaffoldd import hookimpl\n@hookimpl\ndef self_test(settings): raise ValueError('out of order')",
        78,
        "out of order",
    ),
    "conflict": ("from commscaffoldd import handler\n@handler(1)\ndef f(request): ...", 78, "message ID 1"),
    "exits": ("import os; os._exit(5)", 78, "5"),
    "hangs": ("import time; time.sleep(600)", 78, "longer than daemon.start_timeout"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_refuses_the_upgrade(daemon: Daemon, kind: str) -> None:
    source, code, reason = BROKEN[kind]
    daemon.configure(daemon={"workers": 2, "start_timeout": 2.0}, flood={"enabled": False})
    daemon.start()
    before = daemon.master_pid(), daemon.ready()
    with Load(daemon.address(), talkers=10) as load:
        load.flows()
        path = daemon.plugin("broken", source)
        done = daemon.command("upgrade")
        assert done.code == code, done.err
        assert reason in done.err
        assert UNNOTICED in done.err
        assert (daemon.master_pid(), daemon.ready()) == before
        load.flows()
        path.unlink()
        assert daemon.command("upgrade").code == 0
        load.flows()
        check(load)
    wait_until(lambda: len(daemon.pids()) == 3)


def test_a_wrong_configuration_refuses_the_upgrade(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.master_pid()
    daemon.path.write_text("[daemon]\nworkers = 'many'\n")
    done = daemon.command("upgrade")
    assert done.code == 78
    assert "2: daemon.workers: found" in done.err
    assert daemon.master_pid() == before


def test_an_address_in_use_refuses_the_upgrade(daemon: Daemon) -> None:
    daemon.start()
    with FrameClient(daemon.address(), daemon.layout()) as client:
        other = daemon.free_address()
        host, _, port = other.rpartition(":")
        with socket.create_server((host, int(port))):
            daemon.configure(listen=[{"address": daemon.address()}, {"address": other}])
            done = daemon.command("upgrade")
        assert done.code == 1
        assert "EADDRINUSE" in done.err
        assert client.call(1, b"x") == b"x"
        assert daemon.command("status").code == 0


SLOW_TO_LOAD = """
    import time
    from commscaffoldd import handler
    time.sleep(1.0)

    @handler(9)
    def nothing(request): ...
    """


@pytest.mark.parametrize("victim", ["new master", "old master"])
def test_whichever_master_is_killed_meanwhile_the_other_goes_on_or_all_ends(daemon: Daemon, victim: str) -> None:
    daemon.start()
    old = daemon.master_pid()
    daemon.plugin("slow", SLOW_TO_LOAD)
    with FrameClient(daemon.address(), daemon.layout()) as client:
        command = daemon.begin("upgrade")
        new = wait_until(
            lambda: [int(line.rpartition(" ")[2]) for line in daemon.log_lines("the new master has pid")]
        )[0]
        os.kill(new if victim == "new master" else old, signal.SIGKILL)
        _, err = command.communicate()
        assert command.returncode != 0
        if victim == "new master":
            assert "the new master ended while it was starting: signal 9 (SIGKILL)" in err
            assert client.call(1, b"x") == b"x"
            assert daemon.status()["pid"] == old
            assert daemon.command("reload").code == 0
        else:  # nobody is in charge: all end, and the next start finds everything free
            wait_until(lambda: not daemon.pids())
            assert daemon.command("start").code == 0


def test_one_thing_at_a_time(daemon: Daemon) -> None:
    daemon.start()
    daemon.plugin("slow", SLOW_TO_LOAD)
    first = daemon.begin("upgrade")
    wait_until(lambda: daemon.status()["state"] == "upgrading")
    for word in ("upgrade", "reload"):
        done = daemon.command(word)
        assert done.code == 1
        assert "the daemon is upgrading" in done.err
    first.communicate()
    assert first.returncode == 0


def test_stop_during_an_upgrade_ends_both(daemon: Daemon) -> None:
    daemon.start()
    daemon.plugin("slow", SLOW_TO_LOAD)
    upgrade = daemon.begin("upgrade")
    wait_until(lambda: daemon.status()["state"] == "upgrading")
    daemon.stop()
    _, err = upgrade.communicate()
    assert upgrade.returncode == 1
    assert "the daemon was stopped while it was upgrading" in err
    wait_until(lambda: not daemon.pids())


WAITS = """
    import time
    from pathlib import Path
    from commscaffoldd import handler
    time.sleep(1.0)

    @handler(9)
    def wait(request):
        flag = Path(request.body.decode())
        flag.touch()
        while flag.exists():
            time.sleep(0.01)
    """


def test_a_new_master_that_was_told_to_stop_does_not_take_charge(daemon: Daemon) -> None:
    daemon.start()
    old = [daemon.master_pid(), *daemon.worker_pids()]
    daemon.plugin("waits", WAITS)
    command = daemon.begin("upgrade")
    (new,) = wait_until(lambda: [int(line.rpartition(" ")[2]) for line in daemon.log_lines("the new master has pid")])
    for pid in old:
        os.kill(pid, signal.SIGSTOP)  # so the new one is ready, and waits for the old one's word
    flag = daemon.folder / "flag"
    try:
        wait_until(lambda: len(daemon.log_lines("ready: 1 workers serve")) == 2)
        with daemon.connect() as client:
            client.send(9, str(flag).encode())  # what its stop waits for
            wait_until(flag.exists)
            os.kill(new, signal.SIGTERM)
            wait_until(lambda: daemon.log_lines("stopping;"))
    finally:
        for pid in old:
            os.kill(pid, signal.SIGCONT)
    _, err = command.communicate()
    assert command.returncode == 1
    assert "the new master has been told to stop" in err
    assert UNNOTICED in err
    assert daemon.status()["pid"] == old[0]
    wait_until(lambda: not is_alive(new))
    with daemon.connect() as client:
        assert client.call(1, b"x") == b"x"


def test_take_over_is_not_for_people(daemon: Daemon) -> None:
    done = subprocess.run(
        [*PROGRAM, "take-over"], env=daemon.environment(), capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 2
    assert "you want `commscaffoldd upgrade`" in done.stderr


def test_the_service_manager_hears_who_is_the_main_process_now(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = ServiceManager(daemon.folder / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    process = daemon.start_foreground()
    manager.wait_for("WATCHDOG=1")
    old = daemon.master_pid()
    assert daemon.command("upgrade").code == 0
    new = daemon.master_pid()
    assert manager.wait(lambda message: "MAINPID" in message)["MAINPID"] == str(new)
    ready = manager.wait_for("READY=1")
    assert ready["MAINPID"] == str(new)
    manager.wait_for("WATCHDOG=1")
    assert process.pid == old
    assert process.wait(20) == 0
    assert not [message for message in manager.heard if "STOPPING" in message]
    daemon.stop()
    manager.wait_for("STOPPING=1")
    manager.close()
