from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from commscaffoldd.plugin.host import PluginHost
    from tests.plugin.conftest import Workshop

Call = Callable[["PluginHost", int, bytes], object]

PACKAGE = """
from commscaffoldd.plugin.api import handler
from .words import GREETING
from .deep.nested import suffix

@handler(7)
def greet(request):
    return GREETING + request.body + suffix()
"""


def test_relative_imports_within_a_package(shop: Workshop, call: Call) -> None:
    shop.write("greet/__init__.py", PACKAGE)
    shop.write("greet/words.py", "GREETING = b'hello, '")
    shop.write("greet/deep/__init__.py", "")
    shop.write("greet/deep/nested.py", "from ..words import GREETING\ndef suffix(): return b'!'")

    assert call(shop.load(), 7, b"world") == b"hello, world!"


def test_a_plugin_edited_within_a_second_to_the_same_size_is_loaded_anew(
    shop: Workshop, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    shop.write("greet/__init__.py", "from . import inner")
    text = "from commscaffoldd.plugin.api import handler\n@handler(7)\ndef f(request): return b'{}'\n"
    file = shop.write("greet/inner.py", text.format("one"))
    before = file.stat()
    assert call(shop.load(), 7, b"") == b"one"

    file.write_text(text.format("two"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert call(shop.load(), 7, b"") == b"two"


def test_no_bytecode_is_left_in_the_folder(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    shop.write("greet/__init__.py", PACKAGE)
    shop.write("greet/words.py", "GREETING = b''")
    shop.write("greet/deep/__init__.py", "")
    shop.write("greet/deep/nested.py", "def suffix(): return b''")

    shop.load()

    assert list(shop.folder.rglob("*.pyc")) == []


def test_a_failed_import_leaves_nothing_behind(shop: Workshop) -> None:
    shop.write("half/__init__.py", "from . import inner\nraise ValueError('no')")
    shop.write("half/inner.py", "")

    shop.errors()

    assert not [name for name in sys.modules if name.startswith("commscaffoldd_plugins.half")]
