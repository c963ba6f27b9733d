"""sysusers, tmpfiles and logrotate: their own programs read them, in a folder that stands for the root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

FILES = Path(__file__).parents[2] / "systemd"
FOLDERS = ("run", "var/lib", "var/log")


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=45, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def make_user(root: Path) -> Sequence[str]:
    """Let systemd-sysusers make the user below this folder; its line in passwd."""
    (root / "etc").mkdir()
    run(program("systemd-sysusers"), f"--root={root}", str(FILES / "commscaffoldd.sysusers"))
    lines = (root / "etc/passwd").read_text().splitlines()
    (ours,) = (line.split(":") for line in lines if line.startswith("commscaffoldd:"))
    return ours


@pytest.mark.skipif(os.geteuid() != 0, reason="systemd-sysusers needs root, even for a folder")
def test_sysusers_makes_a_user_that_nobody_can_be(tmp_path: Path) -> None:
    user = make_user(tmp_path)
    assert user[5] == "/var/lib/commscaffoldd"
    assert user[6].endswith("/nologin")
    groups = (tmp_path / "etc/group").read_text().splitlines()
    assert any(line.startswith("commscaffoldd:") for line in groups)


@pytest.mark.skipif(os.geteuid() != 0, reason="systemd-tmpfiles gives folders away, which needs root")
def test_tmpfiles_makes_folders_for_that_user_alone(tmp_path: Path) -> None:
    user = make_user(tmp_path)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    run(program("systemd-tmpfiles"), f"--root={tmp_path}", "--create", str(FILES / "commscaffoldd.tmpfiles"))
    for folder in FOLDERS:
        made = (tmp_path / folder / "commscaffoldd").stat()
        assert (made.st_mode & 0o7777, made.st_uid) == (0o750, int(user[2])), folder


def test_logrotate_reads_its_file(tmp_path: Path) -> None:
    logrotate = program("logrotate")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "commscaffoldd.log").write_text("a line\n")
    text = (FILES / "commscaffoldd.logrotate").read_text()
    text = text.replace("/var/log/commscaffoldd", str(tmp_path / "log"))
    text = re.sub(r"^\s*su .*$", "", text, flags=re.MULTILINE)  # the user is not on this machine
    text = text.replace("create 0640 commscaffoldd commscaffoldd", "create 0640")
    (tmp_path / "c").write_text(text)
    (tmp_path / "c").chmod(0o644)
    said = run(logrotate, "--debug", "--force", "--state", str(tmp_path / "state"), str(tmp_path / "c"))
    assert "error" not in said
    assert "rotating pattern" in said


def test_rotation_tells_the_daemon_and_loses_no_line() -> None:
    text = (FILES / "commscaffoldd.logrotate").read_text()
    assert "commscaffoldd reopen" in text
    assert not re.search(r"^\s*copytruncate", text, re.MULTILINE)
