from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from commscaffoldd.master.daemonise import LaunchResult
from commscaffoldd.master.pidfile import Pidfile
from commscaffoldd.worker.canary import CanaryReport
from tests.cli.running import Run

GOOD = CanaryReport(ok=True, errors=[], routes=[], config_text="")
BAD = CanaryReport(ok=False, errors=["p.py:3: broken"], routes=[], config_text="")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What restart does, in order."""
    steps: list[str] = []

    def stop(_path: pathlib.Path, **_: object) -> int:
        steps.append("stop")
        return 4711

    def launch(_config: object) -> LaunchResult:
        steps.append("start")
        return LaunchResult(ok=True, exit_code=0, pid=4800, errors=())

    def check(*_: object) -> CanaryReport:
        steps.append("check")
        return GOOD

    monkeypatch.setattr("commscaffoldd.master.control_client.stop", stop)
    monkeypatch.setattr("commscaffoldd.cli.start.launch_daemon", launch)
    monkeypatch.setattr("commscaffoldd.cli.restart.run_canary", check)
    return steps


@pytest.fixture
def running(folder: pathlib.Path) -> Iterator[None]:
    """Somebody holds the pidfile."""
    pidfile = Pidfile(folder / "run" / "commscaffoldd.pid")
    pidfile.acquire()
    yield
    pidfile.release()


@pytest.mark.usefixtures("running")
def test_it_checks_then_stops_then_starts(run: Run, done: list[str]) -> None:
    result = run("restart")
    assert result.exit_code == 0
    assert done == ["check", "stop", "start"]
    assert result.stdout.splitlines()[:2] == [
        "commscaffoldd, pid 4711, has stopped",
        "commscaffoldd started: pid 4800, 2 workers",
    ]


@pytest.mark.usefixtures("running")
def test_broken_plugins_do_not_take_the_daemon_down(
    run: Run, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commscaffoldd.cli.restart.run_canary", lambda *_: BAD)
    result = run("restart")
    assert (result.exit_code, done) == (78, [])
    assert result.stderr == "error: p.py:3: broken\nThe daemon has not been stopped.\n"


@pytest.mark.usefixtures("running")
def test_a_broken_configuration_does_not_take_the_daemon_down(
    run: Run, done: list[str], folder: pathlib.Path
) -> None:
    (folder / "c.toml").write_text("[broken\n")
    assert run("restart").exit_code == 78
    assert done == []


def test_a_daemon_that_does_not_run_is_started(run: Run, done: list[str]) -> None:
    assert run("restart").exit_code == 0
    assert done == ["start"]


@pytest.mark.usefixtures("running")
def test_a_daemon_whose_sockets_are_systemds_is_systemds_to_restart(
    run: Run, done: list[str], folder: pathlib.Path
) -> None:
    (folder / "c.toml").write_text('[[listen]]\naddress = "systemd:game"\n')
    result = run("restart")
    assert (result.exit_code, done) == (1, [])
    assert "listen[0].address is systemd:game" in result.stderr
    assert "use `systemctl restart`" in result.stderr
