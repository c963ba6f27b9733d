"""systemd's watchdog: fed while the workers turn."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.system import processes
from tests.system.daemon import Daemon
from tests.system.service_manager import ServiceManager
from tests.system.waiting import stays, wait_until

INTERVAL = 3.0


@pytest.fixture
def manager(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    made = ServiceManager(daemon.folder / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    monkeypatch.setenv("WATCHDOG_USEC", str(int(INTERVAL * 1e6)))
    yield made
    made.close()


def test_a_stopped_worker_ends_the_pings_until_it_goes_on(daemon: Daemon, manager: ServiceManager) -> None:
    daemon.configure(daemon={"workers": 2})
    daemon.start_foreground()
    manager.wait_for("READY=1")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1", within=INTERVAL)
    number, pid = daemon.ready().popitem()
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: processes.is_stopped(pid))
    try:
        wait_until(lambda: f"worker {number} (pid {pid}) hangs" in daemon.foreground_text())
        manager.hear()
        assert stays(lambda: not any("WATCHDOG" in one for one in manager.hear()), INTERVAL)
    finally:
        os.kill(pid, signal.SIGCONT)
    manager.wait_for("WATCHDOG=1", within=INTERVAL)
    assert daemon.foreground_text().count("hangs") == 1


def test_a_reload_does_not_disturb_the_pings(daemon: Daemon, manager: ServiceManager) -> None:
    daemon.start_foreground()
    manager.wait_for("READY=1")
    daemon.reload()
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1", within=INTERVAL)
    assert "hangs" not in daemon.foreground_text()


def test_neither_plugins_nor_what_they_start_can_speak_for_the_master(
    daemon: Daemon, manager: ServiceManager
) -> None:
    daemon.plugin(
        "spy",
        """
        import os
        from commscaffoldd import handler

        @handler(77)
        def environment(request):
            return " ".join(os.environ).encode()
        """,
    )
    daemon.start_foreground()
    manager.wait_for("READY=1")
    with daemon.connect() as client:
        names = client.call(77, b"").decode().split()
    assert "PATH" in names
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(names)
