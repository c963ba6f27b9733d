from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.suite.launch import StartError, configuration, start
from benchmarks.suite.processes import descendants, open_files, resident_bytes
from benchmarks.suite.servers import SERVERS, Server
from commscaffoldd.config.load import parse


def server(name: str) -> Server:
    return next(one for one in SERVERS if one.name == name)


def test_the_configuration_is_right_and_has_neither_flood_detection_nor_heartbeat(tmp_path: Path) -> None:
    config = parse(configuration(server("native-pool-4"), tmp_path), tmp_path / "commscaffoldd.toml")

    assert config.daemon.workers == 4
    assert not config.flood.enabled
    assert not config.heartbeat.enabled


def test_the_daemon_serves_with_as_many_workers_as_wanted(tmp_path: Path) -> None:
    with start(server("python-pool"), tmp_path) as running:
        master, *workers = running.pids()

        assert len(workers) == 1
        assert resident_bytes([master, *workers]) > resident_bytes(workers) > 0
        assert open_files(workers) > 0

    assert descendants(master) == []


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="allowed: python, native, auto"):
        start(Server("other", "an engine that is not known", engine="other"), tmp_path)


def test_a_server_whose_framework_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"No module named benchmarks\.servers\.missing"):
        start(Server("missing", "a module that is not there", peer="missing"), tmp_path)
