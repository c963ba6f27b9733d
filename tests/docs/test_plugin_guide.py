"""The examples in docs/plugins.md: those that are plugins are loaded, and do what the guide says."""

from __future__ import annotations

from pathlib import Path

import pytest

from commscaffoldd.client import ErrorReply
from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.hooks import HOOKS
from commscaffoldd.plugin.host import load_plugins
from commscaffoldd.testing import load_plugin
from tests.docs.markdown import ROOT, Block, blocks
from tests.docs.plugin_names import names_of

PAGE = "docs/plugins.md"
GUIDE = (ROOT / PAGE).read_text()
EXAMPLES = [block for block in blocks(PAGE) if block.language == "python"]
PLUGINS = [block for block in EXAMPLES if "commscaffoldd import" in block.text and block.mark != "fragment"]


def example(part: str) -> str:
    """The one plugin that contains a text."""
    (found,) = [block.text for block in PLUGINS if part in block.text]
    return found


def saved(source: str, folder: Path, name: str = "example") -> Path:
    path = folder / f"{name}.py"
    path.write_text(source)
    return path


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: f"line {block.line}")
def test_each_one_compiles(block: Block) -> None:
    compile(block.text, PAGE, "exec")


@pytest.mark.parametrize("block", PLUGINS, ids=lambda block: f"line {block.line}")
def test_each_one_that_is_a_plugin_is_loaded(block: Block, tmp_path: Path) -> None:
    needed = (
        ""
        if "@handler" in block.text or "@hookimpl" in block.text
        else "from commscaffoldd import handler\n@handler(1)\ndef echo(request): return request.body\n"
    )
    with load_plugin(saved(block.text + needed, tmp_path)) as plugin:
        assert plugin.host.routes


def test_typed_messages(tmp_path: Path) -> None:
    with load_plugin(saved(example("class LoginRequest"), tmp_path)) as plugin:
        login = names_of(plugin, 6)["LoginRequest"]
        assert plugin.call(6, login("ann", "secret")).token == "…"
        with pytest.raises(ErrorReply, match="error 1001: wrong name or password"):
            plugin.call(6, login("bob", "secret"))


def test_a_codec_of_ones_own(tmp_path: Path) -> None:
    handler = (
        "from commscaffoldd import handler\n@handler(7)\ndef back(request, body: Position) -> Position: return body\n"
    )
    with load_plugin(saved(example("class Position") + handler, tmp_path)) as plugin:
        exchange = plugin.begin(7, bytes(8))
        exchange.result()
        assert exchange.bodies == [bytes(8)]


def test_async_def(tmp_path: Path) -> None:
    with load_plugin(saved(example("wait_a_moment"), tmp_path)) as plugin:
        assert plugin.call(1101, 0.01) == "0.01 s later"


def test_replies_that_come_later_and_the_tests_of_them(tmp_path: Path) -> None:
    (tests,) = [block.text for block in EXAMPLES if "def test_a_question" in block.text]
    for name in ("test_a_question_is_answered", "test_a_question_that_nobody_answers"):
        with load_plugin(saved(example("class Desk"), tmp_path, name)) as plugin:
            names = names_of(plugin, 1201)
            exec(tests, names)
            arguments = (plugin, plugin.clock) if "nobody" in name else (plugin,)
            names[name](*arguments)


def test_streams(tmp_path: Path) -> None:
    with load_plugin(saved(example("async def tick"), tmp_path)) as plugin:
        exchange = plugin.begin(1301, 4)
        exchange.wait()
        assert exchange.replies == [0, 1, 2, 3]


def test_state(tmp_path: Path) -> None:
    with load_plugin(saved(example("class Counter"), tmp_path), settings={"start": 6}) as plugin:
        assert plugin.call(1010) == b"7"


def test_settings_and_the_errors_that_are_shown(tmp_path: Path) -> None:
    saved(example("class Settings"), tmp_path, "greet")
    with load_plugin(tmp_path / "greet.py", settings={"greeting": "good day"}) as plugin:
        assert plugin.call(1001, b"world") == b"good day, world"

    with pytest.raises(PluginErrors) as caught:
        load_plugins([tmp_path], [], {"greet": {"greting": "x", "times": 0}})

    shown = " ".join(GUIDE.split())
    assert [error.reason in shown for error in caught.value.errors] == [True, True]


def test_every_hook_is_described_with_its_arguments() -> None:
    for hook, arguments in HOOKS.items():
        assert f"`{hook}({', '.join(arguments)})`" in GUIDE
