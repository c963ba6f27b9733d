"""The errors a plugin's author gets: each one line, with plugin, file and line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Workshop


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\ndef f(:\n", "2: SyntaxError: invalid syntax: def f(:"),
        ("\nprint('a'\n", "2: SyntaxError: '(' was never closed: print('a'"),
        (
            "if 1:\nx = 1\n",
            "2: IndentationError: expected an indented block after 'if' statement on line 1: x = 1",
        ),
        ("x = 1\nx.y\n", "2: AttributeError: 'int' object has no attribute 'y'"),
        ("import sys\nsys.exit(4)\n", "2: called sys.exit(4): a plugin must not end the process"),
        ("raise BaseException('odd')\n", "1: BaseException: odd"),
        ("raise ValueError('two\\nlines \\x1b[1m')\n", "1: ValueError: two lines \\x1b[1m"),
        (
            "\nimport no_such_module\n",
            (
                f"2: ModuleNotFoundError: No module named 'no_such_module' (the daemon runs with {sys.executable}: "
                "is it installed there?)"
            ),
        ),
        (
            "from commscaffoldd.plugin.api import handler\n\n@handler(0)\ndef f(request): ...\n",
            (
                "3: ValueError: handler(0): ID 0 is the heartbeat, which the daemon answers; take 1 to "
                "18446744073709551615"
            ),
        ),
    ],
)
def test_import_failures(shop: Workshop, text: str, error: str) -> None:
    shop.write("bad.py", "").write_text(text)

    line, _, reason = error.partition(": ")
    assert shop.errors() == [f"plugin bad: bad.py:{line}: cannot be imported: {reason}"]


def test_the_line_is_the_plugins_own_not_the_librarys(shop: Workshop) -> None:
    shop.write("bad/__init__.py", "from . import inner\n")
    shop.write("bad/inner.py", "import json\n\njson.loads('{')\n")

    (error,) = shop.errors()

    assert error.startswith("plugin bad: bad/inner.py:3: cannot be imported: JSONDecodeError: ")


def test_a_syntax_error_in_a_module_of_a_package(shop: Workshop) -> None:
    shop.write("bad/__init__.py", "from . import inner\n")
    shop.write("bad/inner.py", "x = 1\n\ny = = 2\n")

    assert shop.errors() == ["plugin bad: bad/inner.py:3: cannot be imported: SyntaxError: invalid syntax: y = = 2"]


def test_a_package_that_imports_its_own_module_absolutely(shop: Workshop) -> None:
    shop.write("bad/__init__.py", "import inner\n")
    shop.write("bad/inner.py", "")

    (error,) = shop.errors()

    assert error.endswith("No module named 'inner' (within the package write: from . import inner)")


def test_an_exception_whose_text_fails(shop: Workshop) -> None:
    shop.write(
        "bad.py",
        """
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError
        raise Odd
        """,
    )

    assert shop.errors() == ["plugin bad: bad.py:4: cannot be imported: Odd: (its text cannot be shown)"]


def test_a_file_that_is_not_text(shop: Workshop) -> None:
    (shop.folder / "bad.py").write_bytes(b"x = '\xff\xfe'\n")

    (error,) = shop.errors()

    assert error.startswith("plugin bad: bad.py:")
    assert "SyntaxError" in error
