from __future__ import annotations

from collections.abc import Callable

from commscaffoldd.plugin.host import load_plugins
from tests.plugins.conftest import ALL, PLUGINS, Client, Worker


def test_what_is_sent_comes_back(worker: Callable[..., Worker]) -> None:
    echo = worker("echo")

    assert echo.ask(Client("1.0.1"), 1, b"\x00HELLO") == b"\x00HELLO"
    assert echo.ask(Client("1.0.1"), 2, b"") == b""
    assert [route.mode for route in echo.host.routes.values()] == ["pool", "inline"]


def test_the_examples_live_together_each_with_a_readme() -> None:
    host = load_plugins([PLUGINS], [], {})

    assert set(host.names) == ALL
    assert list(host.routes) == [1, 2, 5, 6, 20, 21, 22]
    assert all((PLUGINS / name / "README.md").is_file() for name in ALL)
