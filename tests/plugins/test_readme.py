"""The examples in plugins/README.md, tried out."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.hooks import HOOKS
from commscaffoldd.plugin.host import load_plugins
from tests.plugins.conftest import PLUGINS, Client, Worker

README = (PLUGINS / "README.md").read_text()
CODE = [dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)]


def example(part: str) -> str:
    """The one example that contains a text."""
    (found,) = [block for block in CODE if part in block]
    return found


def test_the_first_plugin(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text(example('b"hello, " + request.body'))

    worker = Worker(load_plugins([tmp_path], [], {}))

    assert worker.ask(Client("1.0.1"), 1001, b"world") == b"hello, world"


def test_the_plugin_with_state(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(example("class Counter"))

    worker = Worker(load_plugins([tmp_path], [], {"count": {"start": 6}}))

    assert worker.ask(Client("1.0.1"), 1010, b"") == b"7"


def test_the_settings_and_the_error_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text(example("class Settings"))
    worker = Worker(load_plugins([tmp_path], [], {"greet": {"greeting": "good day"}}))
    assert worker.ask(Client("1.0.1"), 1001, b"world") == b"good day, world"

    with pytest.raises(PluginErrors) as caught:
        load_plugins([tmp_path], [], {"greet": {"greting": "x", "times": 0}})

    shown = " ".join(README.split())
    assert [error.reason in shown for error in caught.value.errors] == [True, True]


def test_every_hook_is_described_with_its_arguments() -> None:
    for hook, arguments in HOOKS.items():
        assert f"`{hook}({', '.join(arguments)})`" in README
