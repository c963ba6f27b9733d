"""The commands that ask the running daemon: status, connections, routes, reload, reopen, stop."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from commscaffoldd.cli import daemon
from commscaffoldd.master.control_client import ControlTimeout, NotPermitted
from commscaffoldd.master.pidfile import Pidfile
from tests.cli.control_server import control_server
from tests.cli.running import CONFIG, Run

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 4711,
    "uptime": 11527.3,
    "started": "2026-11-23T09:06:32+00:00",
    "engine": "python",
    "config": "/etc/commscaffoldd/commscaffoldd.toml",
    "log": "/var/log/commscaffoldd/commscaffoldd.log",
    "state": "running",
    "listen": [
        {"address": "127.0.0.1:9000", "layout": "standard", "accept": "exclusive"},
        {"address": "127.0.0.1:9001", "layout": "compact", "accept": "mutex"},
    ],
    "workers": [
        {
            "number": 1,
            "pid": 4712,
            "state": "ready",
            "uptime": 65.0,
            "rss": 43_311_104,
            "statistics": {"connections": 1200, "messages_in": 1_234_567, "messages_out": 99, "queue": 3},
        },
        {"number": 2, "pid": 0, "state": "dead: waiting", "uptime": 0.0, "rss": 0, "statistics": {}},
    ],
    "totals": {"accepted": 1300, "closed": 100, "messages_in": 1_234_567, "bytes_in": 2048, "floods": 2},
    "restarts": {"count": 3, "last": "worker 2 (pid 4713) died: signal 9", "next_in": 3.6},
    "last_reload": {"at": "2026-11-23T10:00:00+00:00", "ok": False, "errors": ["plugin x: no", "and no"]},
}
CONNECTION: dict[str, Any] = {
    "worker": 1,
    "id": "1-7-3",
    "peer": "10.0.0.9:55012",
    "listen": "127.0.0.1:9000",
    "layout": "standard",
    "since": 3700.0,
    "idle": 2.5,
    "messages_in": 12,
    "messages_out": 11,
    "waiting": 1,
    "unsent": 2048,
}


def test_status_shows_workers_totals_restarts_and_the_last_reload(run: Run, folder: pathlib.Path) -> None:
    with control_server(folder, {"ok": True, "status": STATUS}) as commands:
        result = run("status")
    assert result.exit_code == 0
    assert commands == [{"command": "status"}]
    assert result.stdout.splitlines() == [
        "commscaffoldd 0.1.0 is running",
        "pid            4711",
        "up             3 h 12 min, since 2026-11-23T09:06:32+00:00",
        "configuration  /etc/commscaffoldd/commscaffoldd.toml",
        "log            /var/log/commscaffoldd/commscaffoldd.log",
        "engine         python",
        "listening on   127.0.0.1:9000 (layout standard, exclusive)",
        "               127.0.0.1:9001 (layout compact, mutex)",
        "",
        "WORKER   PID  STATE                 UP  CONNECTIONS  MESSAGES IN  OUT  QUEUE       RSS",
        "     1  4712  ready          1 min 5 s        1,200    1,234,567   99      3  41.3 MiB",
        "     2     -  dead: waiting          -            0            0    0      0         -",
        "",
        "connections  1,200 open, 1,300 accepted, 100 closed",
        "messages     1,234,567 in (2.0 KiB), 0 out (0 B)",
        "trouble      floods 2",
        "restarts     3; the last: worker 2 (pid 4713) died: signal 9; the next in 4 s",
        "last reload  2026-11-23T10:00:00+00:00: refused: plugin x: no; and no",
    ]


def test_status_of_a_quiet_daemon_says_none(run: Run, folder: pathlib.Path) -> None:
    quiet = STATUS | {"restarts": {"count": 0, "last": "", "next_in": None}, "last_reload": None, "totals": {}}
    with control_server(folder, {"ok": True, "status": quiet}):
        shown = run("status").stdout
    assert [line.split()[-1] for line in shown.splitlines()[-3:]] == ["none", "none", "none"]


def test_status_as_json_is_the_daemons_own(run: Run, folder: pathlib.Path) -> None:
    with control_server(folder, {"ok": True, "status": STATUS}):
        assert json.loads(run("status", "--json").stdout) == STATUS


def test_status_of_a_daemon_that_is_down_exits_3(run: Run, folder: pathlib.Path) -> None:
    result = run("status")
    assert (result.exit_code, result.stdout) == (3, f"commscaffoldd is down ({folder}/run)\n")
    as_json = run("status", "--json")
    assert as_json.exit_code == 3
    assert json.loads(as_json.stdout)["state"] == "down"


@pytest.mark.parametrize("command", ["stop", "reload", "reopen", "connections", "release 7"])
def test_a_command_to_a_daemon_that_does_not_run_exits_7(run: Run, command: str) -> None:
    result = run(*command.split())
    assert result.exit_code == 7
    assert result.stderr.startswith("error: ")


def test_connections_are_a_table(run: Run, folder: pathlib.Path) -> None:
    with control_server(folder, {"ok": True, "connections": [CONNECTION]}):
        head, row = run("connections").stdout.splitlines()
    assert (
        " ".join(head.split())
        == "WORKER CONNECTION PEER USER LISTENER LAYOUT AGE IDLE MESSAGES IN OUT WAITING UNSENT"
    )
    assert " ".join(row.split()) == "1 1-7-3 10.0.0.9:55012 127.0.0.1:9000 standard 1 h 1 min 2 s 12 11 1 2.0 KiB"


def test_connections_are_bounded_and_say_what_is_left_out(run: Run, folder: pathlib.Path) -> None:
    with control_server(folder, {"ok": True, "connections": [CONNECTION] * 5, "truncated": True}):
        result = run("connections", "--limit", "2")
        as_json = json.loads(run("connections", "--json").stdout)
    assert len(result.stdout.splitlines()) == 1 + 2
    assert result.stderr == "and 3 more at least (see --limit and --json)\n"
    assert as_json == {"connections": [CONNECTION] * 5, "truncated": True}


def test_routes_of_the_running_daemon_are_sorted_by_message_id(run: Run, folder: pathlib.Path) -> None:
    found = [
        {
            "id": 1002,
            "plugin": "echo",
            "function": "fast",
            "mode": "inline",
            "timeout": 0.5,
            "quarantined": [{"worker": 1}, {"worker": 3}],
        },
        {"id": 6, "plugin": "account", "function": "Account.login", "mode": "pool"},
    ]
    with control_server(folder, {"ok": True, "routes": found}):
        result = run("routes")
        as_json = json.loads(run("routes", "--json").stdout)
    assert result.stdout.splitlines() == [
        "MESSAGE ID  PLUGIN   FUNCTION       MODE    TIMEOUT  QUARANTINED",
        "         6  account  Account.login  pool",
        "      1002  echo     fast           inline    0.5 s  in worker 1, worker 3",
    ]
    assert as_json == found[::-1]


def test_status_says_what_is_quarantined_and_why(run: Run, folder: pathlib.Path) -> None:
    row = {"worker": 1, "id": 7, "plugin": "greet", "function": "hello", "reason": "failed 3 times in a row"}
    rows = [
        row | {"last": "ValueError: bad", "since": "10:00:00", "until": "10:00:01"},
        row | {"last": "", "since": "10:00:00", "until": None, "worker": 2},
    ]
    with control_server(folder, {"ok": True, "status": STATUS | {"quarantined": rows}}):
        shown = run("status").stdout
    assert (
        "quarantined  message ID 7 (handler hello of plugin greet) in worker 1, since 10:00:00, until 10:00:01: "
        "it failed 3 times in a row; the last: ValueError: bad\n"
        "             message ID 7 (handler hello of plugin greet) in worker 2, since 10:00:00, being tried again "
        "now: it failed 3 times in a row\n"
    ) in shown


def test_release_says_where(run: Run, folder: pathlib.Path) -> None:
    answer = {"ok": True, "released": [1, 3], "errors": ["worker 2 (pid 8) did not answer within 5 s"]}
    with control_server(folder, answer) as commands:
        result = run("release", "1001")
    assert commands == [{"command": "release", "id": 1001}]
    assert (result.exit_code, result.stdout) == (0, "message ID 1001 is released in worker 1, worker 3\n")
    assert result.stderr == "warning: worker 2 (pid 8) did not answer within 5 s\n"


def test_release_of_what_is_not_quarantined_exits_1(run: Run, folder: pathlib.Path) -> None:
    answer = {"ok": False, "errors": ["message ID 5 is not quarantined in any worker"], "exit_code": 1}
    with control_server(folder, answer):
        result = run("release", "5")
    assert (result.exit_code, result.stderr) == (1, "error: message ID 5 is not quarantined in any worker\n")
    assert run("release", "0").exit_code == 2
    assert run("release", "x").exit_code == 2


def test_reload_shows_progress_and_the_new_workers(run: Run, folder: pathlib.Path) -> None:
    lines: list[dict[str, Any]] = [
        {"progress": "the canary is well"},
        {"ok": True, "workers": [21, 22], "retiring": [11, 12]},
    ]
    with control_server(folder, *lines) as commands:
        result = run("reload")
    assert (result.exit_code, result.stderr) == (0, "the canary is well\n")
    assert result.stdout == (
        "reloaded: 2 workers (pid 21, 22) ready, 2 workers (pid 11, 12) finishing what they have\n"
    )
    assert commands == [{"command": "reload"}]


@pytest.mark.parametrize("code", [1, 78])
def test_a_reload_that_the_daemon_refuses_shows_its_errors_and_exits_with_its_code(
    run: Run, folder: pathlib.Path, code: int
) -> None:
    lines: list[dict[str, Any]] = [
        {"progress": "canary"},
        {"ok": False, "errors": ["x.py:3: bad", "y.py:4: worse"], "exit_code": code},
    ]
    with control_server(folder, *lines):
        result = run("reload")
    assert result.exit_code == code
    assert result.stderr.splitlines() == [
        "canary",
        "error: x.py:3: bad",
        "y.py:4: worse",
        "The running workers have not noticed.",
    ]


def test_a_reload_of_a_file_that_does_not_parse_asks_nobody(run: Run, folder: pathlib.Path) -> None:
    (folder / "c.toml").write_text(CONFIG + "\n[broken\n")
    with control_server(folder, {"ok": True}) as commands:
        result = run("reload")
    assert (result.exit_code, commands) == (78, [])
    assert f"c.toml:{len(CONFIG.splitlines()) + 2}" in result.stderr
    assert result.stderr.endswith("The running workers have not noticed.\n")


def test_reopen_says_so_or_why_not(run: Run, folder: pathlib.Path) -> None:
    with control_server(folder, {"ok": True}) as commands:
        assert run("reopen").stdout == "log reopened\n"
    assert commands == [{"command": "reopen"}]


def test_a_refused_reopen_exits_1(run: Run, folder: pathlib.Path) -> None:
    with control_server(folder, {"ok": False, "errors": ["log: no space"], "exit_code": 1}):
        result = run("reopen")
    assert (result.exit_code, result.stderr) == (1, "error: log: no space\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {"now": False, "drain": None, "timeout": 7 + daemon.ANSWER_TIMEOUT}),
        (("--timeout", "2"), {"now": False, "drain": 2.0, "timeout": 2 + daemon.ANSWER_TIMEOUT}),
        (("--now",), {"now": True, "drain": None, "timeout": daemon.ANSWER_TIMEOUT}),
    ],
)
def test_stop_waits_as_long_as_the_daemon_may_take(
    run: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    expected: dict[str, object],
) -> None:
    asked: list[dict[str, object]] = []

    def stop(path: pathlib.Path, **options: Any) -> int:
        options.pop("on_progress")("worker 1 has stopped")
        asked.append({"path": path, **options})
        return 4711

    monkeypatch.setattr("commscaffoldd.master.control_client.stop", stop)
    result = run("stop", *words)
    assert (result.stdout, result.stderr) == ("commscaffoldd, pid 4711, has stopped\n", "worker 1 has stopped\n")
    assert asked == [{"path": folder / "run" / "control.sock", **expected}]


def test_stop_reaches_a_daemon_whose_configuration_has_been_broken_since(
    run: Run, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "c.toml").write_text(CONFIG + "\n[broken\n")
    monkeypatch.setattr("commscaffoldd.master.control_client.stop", lambda path, **_: len(str(path)))
    result = run("stop")
    assert result.exit_code == 0
    assert result.stdout == f"commscaffoldd, pid {len(str(folder / 'run' / 'control.sock'))}, has stopped\n"
    assert result.stderr.startswith(f"warning: {folder}/c.toml is not valid")


@pytest.mark.parametrize("command", ["status", "stop"])
def test_a_master_that_does_not_answer_is_named_with_what_to_do(
    run: Run, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def hung(*_: object, **__: object) -> None:
        raise ControlTimeout(folder / "run" / "control.sock", 10.0)

    pidfile = Pidfile(folder / "run" / "commscaffoldd.pid")
    pidfile.acquire()
    monkeypatch.setattr(f"commscaffoldd.master.control_client.{'stop' if command == 'stop' else 'request'}", hung)
    try:
        pidfile.write()
        pid = int(pidfile.path.read_text())
        result = run(command)
    finally:
        pidfile.release()
    assert result.exit_code == 1
    assert f"The master, pid {pid}, is there but does not answer" in result.stderr
    assert f"kill -QUIT {pid}" in result.stderr


def test_a_master_that_starts_just_now_is_not_called_down(run: Run, folder: pathlib.Path) -> None:
    pidfile = Pidfile(folder / "run" / "commscaffoldd.pid")
    pidfile.acquire()
    try:
        result = run("status")
    finally:
        pidfile.release()
    assert result.exit_code == 1
    assert "it is starting" in result.stderr


def test_another_users_daemon_exits_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise NotPermitted(pathlib.Path("/run/x.sock"))

    monkeypatch.setattr("commscaffoldd.master.control_client.request", refused)
    result = run("status")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: not permitted to use the control socket /run/x.sock")
