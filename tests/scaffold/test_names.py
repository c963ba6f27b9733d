from __future__ import annotations

from pathlib import Path

import pytest

from commscaffoldd.scaffold.names import (
    NameRefusedError,
    check_name,
    class_name,
    quoted_for_systemd,
    service_name,
)


@pytest.mark.parametrize("name", ["lobby", "chat_room", "a", "x2"])
def test_names_that_are_right(name: str, tmp_path: Path) -> None:
    check_name(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "'' cannot be a plugin's name: it is a lower-case letter"),
        ("Chat-Room", "what about 'chat_room'?"),
        ("2fast", "what about 'fast'?"),
        ("a/b", "what about 'a_b'?"),
        ("../x", "what about 'x'?"),
        ("ö", "at most 50$"),
        ("x" * 51, "at most 50; what about"),
        ("class", "a word of Python's own"),
        ("json", "a module of Python's own library, which the plugin would hide"),
        ("tests", "a module of commscaffoldd or pytest"),
        ("msgspec", "a module 'msgspec' is installed (.*), which the plugin would hide"),
    ],
)
def test_names_that_are_wrong_say_what_is_right(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(NameRefusedError, match=text.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        check_name(name, tmp_path)


def test_a_plugin_that_is_there_itself_is_not_taken_for_an_installed_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lobby_of_a_test").mkdir()
    (tmp_path / "lobby_of_a_test" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    check_name("lobby_of_a_test", tmp_path)  # what is in the way is told when its files are


def test_class_names() -> None:
    assert [class_name(name) for name in ("lobby", "chat_room", "x_2")] == ["Lobby", "ChatRoom", "X2"]


@pytest.mark.parametrize(
    ("project", "name"), [("game", "game"), ("My Game", "my-game"), ("x" * 40, "x" * 31), ("-Ärger.1", "rger-1")]
)
def test_a_service_is_called_after_its_project(project: str, name: str) -> None:
    assert service_name(project) == name


@pytest.mark.parametrize("project", ["", "123", "日本"])
def test_a_project_without_a_letter_has_no_service(project: str) -> None:
    with pytest.raises(NameRefusedError, match="begins with a letter"):
        service_name(project)


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/srv/game", "/srv/game"),
        ("/srv/100%", "/srv/100%%"),
        ("/srv/my game", '"/srv/my game"'),
        ('/srv/"a"\\b', '"/srv/\\"a\\"\\\\b"'),
        ("/srv/$HOME", '"/srv/$$HOME"'),
    ],
)
def test_words_in_a_unit_file(word: str, written: str) -> None:
    assert quoted_for_systemd(word) == written
