from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import commscaffoldd.testing.server  # noqa: F401  # once, and not again in each test
from commscaffoldd.testing import PluginHarness, load_plugin

Load = Callable[..., PluginHarness]

HEAD = """\
import msgspec
from commscaffoldd import Connection, Refuse, Request, handler, hookimpl

class Hello(msgspec.Struct):
    name: str

class Reply(msgspec.Struct):
    text: str

"""

GREET = """\
    from commscaffoldd import handler, hookimpl

    @handler(1001)
    def greet(request):
        return b"hello, " + request.body

    @handler(1002)
    def broken(request):
        return 1 // 0
"""

TEST_GREET = """\
    def test_greet(server):
        assert server.client().call(1001, b"world") == b"hello, world"
"""

INI = """\
[pytest]
addopts = --strict-markers --strict-config -p no:cacheprovider
filterwarnings = error
"""


class Author:
    """Somebody who writes a plugin and its tests, in a folder of their own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.folder = pytester.path
        self.write("pytest.ini", INI)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def run(self, *words: str) -> pytest.RunResult:
        """Run the tests in this process, without the other plugins that are installed: they take a second to load."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            return self.pytester.runpytest_inprocess("-p", "commscaffoldd", *words)

    def run_process(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the tests in a process of their own, as the author does."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.folder,
        )


@pytest.fixture
def author(pytester: pytest.Pytester) -> Author:
    return Author(pytester)


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Load and start a plugin with this source."""
    loaded: list[PluginHarness] = []

    def load(source: str, **options: Any) -> PluginHarness:
        path = tmp_path / f"plugin{len(loaded)}.py"
        path.write_text(HEAD + dedent(source))
        loaded.append(load_plugin(path, **options))
        loaded[-1].start()
        return loaded[-1]

    yield load
    for one in loaded:
        one.stop()
