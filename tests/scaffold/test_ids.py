from __future__ import annotations

from pathlib import Path

from commscaffoldd.scaffold.ids import free_id


def test_the_first_plugin_begins_at_1001(tmp_path: Path) -> None:
    assert free_id(tmp_path) == 1001
    assert free_id(tmp_path / "gone") == 1001


def test_a_block_in_which_a_number_stands_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "messages.py").write_text("JOIN = 1_001\nLEAVE = 1_199\n")
    (tmp_path / "b.py").write_text("@handler(1201)\ndef f(request): ...\nratio = 3.1301\nx1401 = 0\n")

    assert free_id(tmp_path) == 1301


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff 1001")
    (tmp_path / "b.py").mkdir()

    assert free_id(tmp_path) == 1101
