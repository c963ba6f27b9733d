from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import PluginHost, load_plugins


class Workshop:
    """A folder of plugins, written and loaded by a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip())
        return file

    def load(
        self, disabled: tuple[str, ...] = (), settings: Mapping[str, Mapping[str, Any]] | None = None
    ) -> PluginHost:
        return load_plugins([self.folder], disabled, settings or {})

    def errors(self, **settings: Mapping[str, Any]) -> list[str]:
        """What is wrong, each as its one line, with the folder's path left out."""
        with pytest.raises(PluginErrors) as caught:
            self.load(settings=settings)
        return self.lines(caught.value)

    def lines(self, errors: PluginErrors) -> list[str]:
        return [line.replace(f"{self.folder}/", "") for line in str(errors).split("\n")]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def call() -> Callable[[PluginHost, int, bytes], object]:
    """Call a handler by message ID, with a request that has nothing but a body."""

    class Request:
        def __init__(self, body: bytes) -> None:
            self.body = body

    return lambda host, message_id, body: host.routes[message_id].function(Request(body))
