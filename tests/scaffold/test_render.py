from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from commscaffoldd.scaffold.render import InTheWayError, render, write


def test_placeholders_are_filled_in_texts_and_in_names() -> None:
    files = render("plugin", {"name": "lobby", "class": "Lobby", "id": 7})

    assert "GREET = 7\n" in files[PurePosixPath("messages.py")]
    assert "class Lobby:" in files[PurePosixPath("handlers.py")]
    assert PurePosixPath("tests/test_lobby.py") in files
    assert not [text for text in files.values() if "{{" in text]


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="class"):
        render("plugin", {"name": "lobby", "id": 7})


def test_files_are_made_with_their_folders(tmp_path: Path) -> None:
    write({tmp_path / "a" / "b.py": "b\n", tmp_path / "c": "ä\n"})

    assert (tmp_path / "a" / "b.py").read_text() == "b\n"
    assert (tmp_path / "c").read_text(encoding="utf-8") == "ä\n"


def test_if_one_is_in_the_way_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").touch()

    with pytest.raises(InTheWayError) as caught:
        write({tmp_path / one: "new" for one in ("new", "there", "link", "file/below")})

    assert caught.value.paths == [tmp_path / one for one in ("file", "link", "there")]
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "there").read_text() == "mine"
