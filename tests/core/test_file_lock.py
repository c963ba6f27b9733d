"""One lock between those who open the file for themselves."""

from __future__ import annotations

from pathlib import Path

from commscaffoldd.core.file_lock import FileLock


def test_one_has_it_until_it_lets_go_or_ends(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.try_acquire()
    assert one.try_acquire()  # it has it
    assert not two.try_acquire()
    one.release()
    assert two.try_acquire()
    two.close()  # as the kernel does for a process that dies
    assert one.try_acquire()
    one.close()
