"""Opening, installing, reopening."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.log import LogFile, open_log

LOG = logging.getLogger("commscaffoldd.test")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    made = open_log(tmp_path / "d.log", "info", "text")
    made.install("master")
    yield made
    made.close()


def text(log: LogFile) -> str:
    assert log.path is not None
    return log.path.read_text()


def test_lines_arrive_with_role_and_level_applies(log: LogFile) -> None:
    LOG.debug("not shown")
    LOG.info("first")
    log.set_role("worker 3")
    LOG.warning("second")
    first, second = text(log).splitlines()
    assert " INFO " in first
    assert " master [-] commscaffoldd.test: first" in first
    assert " worker 3 [-] commscaffoldd.test: second" in second


def test_installing_another_log_replaces_the_first(log: LogFile, tmp_path: Path) -> None:
    other = open_log(tmp_path / "other.log", "debug", "json")
    other.install("master")
    LOG.debug("to the other")
    assert text(log) == ""
    assert "to the other" in text(other)
    other.close()


def test_closing_leaves_the_logger_as_it_was(log: LogFile) -> None:
    """Else what is logged later, by tests among others, would be lost, or go to standard error."""
    logger = logging.getLogger("commscaffoldd")
    assert (log._handler in logger.handlers, logger.propagate) == (True, False)
    log.close()
    assert (log._handler in logger.handlers, logger.propagate) == (False, True)
    assert logger.level == logging.NOTSET


def test_closing_the_replaced_log_leaves_its_successor_alone(log: LogFile, tmp_path: Path) -> None:
    other = open_log(tmp_path / "other.log", "debug", "text")
    other.install("master")
    log.close()
    LOG.debug("to the other")
    assert "to the other" in text(other)
    assert not logging.getLogger("commscaffoldd").propagate
    other.close()


def test_the_file_is_not_for_everybody(log: LogFile) -> None:
    assert log.path is not None
    assert log.path.stat().st_mode & 0o007 == 0


def test_the_descriptor_is_not_inherited_by_programs(log: LogFile) -> None:
    assert not os.get_inheritable(log.fileno())


def test_reopen_follows_rotation_with_the_same_descriptor(log: LogFile, tmp_path: Path) -> None:
    assert log.path is not None
    fd = log.fileno()
    LOG.info("before")
    log.path.rename(tmp_path / "d.log.1")
    LOG.info("between")
    log.reopen()
    LOG.info("after")
    assert (tmp_path / "d.log.1").read_text().count("\n") == 2
    assert "after" in text(log)
    assert log.fileno() == fd
    assert not os.get_inheritable(fd)


def test_a_failed_reopen_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = open_log(folder / "d.log", "info", "text")
    log.install("master")
    folder.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        log.reopen()
    LOG.info("still here")
    assert "still here" in (tmp_path / "moved" / "d.log").read_text()
    log.close()


def test_no_file_means_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    log = open_log(None, "error", "text")
    log.install("master")
    LOG.error("to the terminal")
    log.reopen()
    log.close()
    assert "to the terminal" in capfd.readouterr().err
    os.fstat(2)  # closing the log has left it open


def test_close_may_be_called_twice(tmp_path: Path) -> None:
    log = open_log(tmp_path / "d.log", "info", "text")
    log.close()
    log.close()


def test_wrong_level_and_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allowed: debug, info, warning, error"):
        open_log(None, "loud", "text")
    with pytest.raises(ValueError, match="allowed: text, json"):
        open_log(None, "info", "xml")
    with pytest.raises(FileNotFoundError):
        open_log(tmp_path / "no" / "d.log", "info", "text")
