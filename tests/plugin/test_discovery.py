from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from commscaffoldd.plugin.discovery import ENTRY_POINT_GROUP, discover


def test_modules_and_packages_are_found_and_the_rest_is_left(tmp_path: Path) -> None:
    for name in ["one.py", "_hidden.py", ".dot.py", "README.md", "notes.txt"]:
        (tmp_path / name).touch()
    for name in ["two", "__pycache__", "_shared"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "data").mkdir()

    found, errors = discover([tmp_path])

    assert {name: source.root for name, source in found.items()} == {
        "one": tmp_path / "one.py",
        "two": tmp_path / "two",
    }
    assert errors == []


def test_a_missing_folder_and_a_file_as_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    _, errors = discover([tmp_path / "gone", file])

    assert [str(error) for error in errors] == [
        f"plugins.path: the folder {tmp_path}/gone does not exist",
        f"plugins.path: {file} is not a folder; name the folder that holds the plugins",
    ]


def test_one_name_in_two_folders(tmp_path: Path) -> None:
    for folder in ["a", "b"]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "echo.py").touch()

    found, errors = discover([tmp_path / "a", tmp_path / "b", tmp_path / "a"])

    assert found["echo"].root == tmp_path / "a" / "echo.py"
    assert [error.reason for error in errors] == [
        f"there are two plugins of this name: {tmp_path}/a/echo.py and {tmp_path}/b/echo.py; rename or remove one"
    ]


def test_a_folder_that_lacks_its_init(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "handlers.py").touch()

    found, errors = discover([tmp_path])

    assert found == {}
    assert "without an __init__.py" in str(errors[0])


def test_a_name_that_cannot_be_a_plugins(tmp_path: Path) -> None:
    (tmp_path / "v1.2.py").touch()

    _, errors = discover([tmp_path])

    assert str(errors[0]).startswith(f"plugin v1.2: {tmp_path}/v1.2.py: a plugin's name is")


def test_entry_points_are_found_without_importing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.metadata.EntryPoint("json", "json.decoder", ENTRY_POINT_GROUP)
    gone = importlib.metadata.EntryPoint("gone", "no_such_package.plugin", ENTRY_POINT_GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [there, gone] if group else [])

    found, errors = discover([])

    assert found["json"].root.name == "json"
    assert found["gone"].root == Path("no_such_package.plugin")
    assert errors == []
