"""Plugins that installed distributions offer, by entry points in the group `commscaffoldd.plugins`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import load_plugins

if TYPE_CHECKING:
    from commscaffoldd.plugin.host import PluginHost

    Call = Callable[[PluginHost, int, bytes], object]

GREET = """
from commscaffoldd import handler, hookimpl
import msgspec

class Settings(msgspec.Struct):
    greeting: str = "hello"

class Greet:
    @handler(7)
    def greet(self, request, body: str, settings: Settings) -> str:
        return f"{settings.greeting}, {body}"
"""
MODULE = GREET + "\n@hookimpl\ndef create_plugin():\n    return Greet()\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Install a distribution with one module and entry points into a folder on Python's path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def install(name: str, text: str, **entry_points: str) -> Path:
        (tmp_path / f"{name}.py").write_text(text)
        metadata = tmp_path / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{plugin} = {value}\n" for plugin, value in entry_points.items())
        (metadata / "entry_points.txt").write_text(f"[commscaffoldd.plugins]\n{lines}")
        importlib.invalidate_caches()
        names.append(name)
        return tmp_path / f"{name}.py"

    yield install
    for name in names:
        sys.modules.pop(name, None)


def test_a_module_is_a_plugin_like_any_other(install: Callable[..., Path], call: Call) -> None:
    install("installed_greet", MODULE, greet="installed_greet")

    host = load_plugins([], [], {"greet": {"greeting": "good day"}})

    assert host.names == ("greet",)
    assert call(host, 7, b"ann") == b"good day, ann"


def test_an_object_can_be_one_too(install: Callable[..., Path], call: Call) -> None:
    install("installed_greet", GREET + "\nplugin = Greet()\n", greet="installed_greet:plugin")

    assert call(load_plugins([], [], {}), 7, b"ann") == b"hello, ann"


def test_a_disabled_one_is_not_imported(install: Callable[..., Path]) -> None:
    install("installed_broken", "raise RuntimeError", broken="installed_broken")

    assert load_plugins([], ["broken"], {"broken": {"x": 1}}).names == ()


@pytest.mark.parametrize(
    ("text", "value", "error"),
    [
        ("x = 1\nraise RuntimeError('boom')", "installed_bad", "{file}:2: cannot be imported: RuntimeError: boom"),
        (
            "import no_such_module",
            "installed_bad",
            (
                "{file}:1: cannot be imported: ModuleNotFoundError: No module named 'no_such_module' (the daemon "
                f"runs with {sys.executable}: is it installed there?)"
            ),
        ),
        (MODULE, "installed_bad:Greet", "its entry point names the class Greet: name its module"),
        (
            "x = 1",
            "installed_bad:nothing",
            "{file}: cannot be imported: AttributeError: module 'installed_bad' has no attribute 'nothing'",
        ),
        (
            "from commscaffoldd import handler\n@handler(5)\ndef f(request, body: complex): ...",
            "installed_bad",
            (
                "{file}:2: handler f of message ID 5: parameter body: there is no codec for complex: make it a "
                "msgspec.Struct, mark it with @codec, or write Annotated[complex, A_CODEC]"
            ),
        ),
    ],
)
def test_one_that_cannot_be_loaded_is_named_with_its_cause(
    install: Callable[..., Path], text: str, value: str, error: str
) -> None:
    file = install("installed_bad", text, bad=value)

    with pytest.raises(PluginErrors) as caught:
        load_plugins([], [], {})

    assert str(caught.value) == f"plugin bad: {error.format(file=file)}"
