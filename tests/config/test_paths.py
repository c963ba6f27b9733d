"""Where the daemon keeps its files when nothing is configured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commscaffoldd.config import paths
from commscaffoldd.config.paths import absolute, default_run_dir


def test_root_has_run_and_others_have_their_runtime_folder_or_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SYSTEM_RUN_DIR", Path("/run/commscaffoldd"))
    monkeypatch.setattr(paths, "_owns", lambda _: False)  # whatever this machine has there
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/0")
    assert default_run_dir() == Path("/run/commscaffoldd")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1234")
    assert default_run_dir() == Path("/run/user/1234/commscaffoldd")
    for useless in ("", "relative/folder"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", useless)
        assert default_run_dir() == Path("/tmp/commscaffoldd-1234")


def test_the_daemons_own_user_looks_where_root_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(paths, "SYSTEM_RUN_DIR", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: owner or 1)
    os.chown(tmp_path, owner or 1, -1)
    assert default_run_dir() == tmp_path
    monkeypatch.setattr(os, "geteuid", lambda: owner + 2)
    assert default_run_dir() != tmp_path


def test_absolute_paths_stay_and_relative_ones_start_at_the_folder() -> None:
    assert absolute("/var/x", Path("/etc")) == "/var/x"
    assert absolute("../var/./x", Path("/etc")) == "/var/x"
