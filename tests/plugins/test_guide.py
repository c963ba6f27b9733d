"""The examples in docs/plugins.md, tried out."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from commscaffoldd import Refuse
from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import load_plugins
from tests.plugins.conftest import PLUGINS, Client, Worker

GUIDE = (PLUGINS.parent / "docs" / "plugins.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def example(part: str) -> str:
    """The one example that contains a text."""
    (found,) = [block for block in CODE if part in block]
    return str(found)


def test_typed_messages(tmp_path: Path) -> None:
    (tmp_path / "login.py").write_text(example("class LoginRequest"))
    worker = Worker(load_plugins([tmp_path], [], {}))

    reply = worker.ask(Client("1.0.1"), 6, msgspec.msgpack.encode({"name": "ann", "password": "secret"}))

    assert msgspec.msgpack.decode(reply) == {"token": "…"}
    with pytest.raises(Refuse, match="error 1001: wrong name or password"):
        worker.ask(Client("1.0.1"), 6, msgspec.msgpack.encode({"name": "bob", "password": "secret"}))


def test_a_codec_of_ones_own(tmp_path: Path) -> None:
    handler = (
        "from commscaffoldd import handler\n@handler(7)\ndef back(request, body: Position) -> Position: return body\n"
    )
    (tmp_path / "position.py").write_text(example("class Position") + handler)

    assert Worker(load_plugins([tmp_path], [], {})).ask(Client("1.0.1"), 7, bytes(8)) == bytes(8)


def test_settings_and_the_errors_that_are_shown(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text(example("class Settings"))
    worker = Worker(load_plugins([tmp_path], [], {"greet": {"greeting": "good day"}}))
    assert worker.ask(Client("1.0.1"), 1001, b"world") == b"good day, world"

    with pytest.raises(PluginErrors) as caught:
        load_plugins([tmp_path], [], {"greet": {"greting": "x", "times": 0}})

    shown = " ".join(GUIDE.split())
    assert [error.reason in shown for error in caught.value.errors] == [True, True]
