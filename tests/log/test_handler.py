"""One write a record, and what happens when it fails."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commscaffoldd.log.formats import TextFormatter
from commscaffoldd.log.handler import LineHandler

PROCESSES, LINES = 4, 300
WRITER = """
import logging, sys
from pathlib import Path
from commscaffoldd.log import open_log
log = open_log(Path(sys.argv[1]), "info", "text")
log.install(sys.argv[2])
for number in range(int(sys.argv[3])):
    logging.getLogger("commscaffoldd.t").info("%d %s", number, "x" * (number * 37 % 5000))
"""


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("commscaffoldd.t", logging.INFO, "x.py", 1, text, None, None)


class Disk:
    """Stands in for `os.write`: full, or taking only some bytes, as told."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.room: int | None = None

    def write(self, _fd: int, data: bytes) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.writes.append(data if self.room is None else data[: self.room])
        return len(self.writes[-1])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr("commscaffoldd.log.handler.os.write", made.write)
    return made


@pytest.fixture
def handler() -> LineHandler:
    return LineHandler(99, TextFormatter("master"))


def test_a_record_with_traceback_is_one_write(disk: Disk, handler: LineHandler) -> None:
    made = record("failed")
    try:
        raise ValueError("why")
    except ValueError:
        made.exc_info = sys.exc_info()
    handler.handle(made)
    assert len(disk.writes) == 1
    assert disk.writes[0].count(b"\n") >= 4


def test_lines_lost_on_a_full_disk_are_counted_and_told(disk: Disk, handler: LineHandler) -> None:
    disk.room = 0
    for _ in range(3):
        handler.handle(record("lost"))
    assert handler.lost == 3
    disk.room = None
    handler.handle(record("here again"))
    notice, line = disk.writes
    assert b"WARNING" in notice
    assert b"3 lines were lost here: No space left on device" in notice
    assert b"here again" in line
    assert handler.lost == 0


def test_after_a_short_write_the_next_line_starts_anew(disk: Disk, handler: LineHandler) -> None:
    disk.room = 10
    handler.handle(record("cut off"))
    disk.room = None
    handler.handle(record("whole"))
    text = b"".join(disk.writes).decode()
    assert [line for line in text.splitlines() if line.endswith("whole")]
    assert "1 line was lost here: only 10 of" in text


def test_lines_of_several_processes_are_never_torn(tmp_path: Path) -> None:
    path = tmp_path / "shared.log"
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"worker {number}", str(LINES)])
        for number in range(PROCESSES)
    ]
    assert [child.wait(30) for child in children] == [0] * PROCESSES
    lines = path.read_text().splitlines()
    assert len(lines) == PROCESSES * LINES
    for line in lines:
        head, _, message = line.partition(" [-] commscaffoldd.t: ")
        number, _, filling = message.partition(" ")
        assert head.split()[3] == "worker"
        assert filling == "x" * (int(number) * 37 % 5000)
