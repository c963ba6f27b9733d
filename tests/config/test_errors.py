"""Errors as a person reads them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from commscaffoldd.config.errors import ConfigError, ConfigErrors, dotted, shown


def test_a_key_is_written_as_toml_writes_it() -> None:
    assert dotted(("listen", 0, "address")) == "listen[0].address"
    assert dotted(("plugin", "a b", "c\n")) == 'plugin."a b"."c\\n"'


def test_an_error_is_one_line_with_file_line_key_and_problem() -> None:
    file = Path("/etc/x.toml")
    assert str(ConfigError(file, 3, "a.b", "found 1")) == "/etc/x.toml:3: a.b: found 1"
    assert str(ConfigError(file, None, "", "not there")) == "/etc/x.toml: not there"


def test_a_files_name_cannot_break_the_terminal() -> None:
    assert shown(Path("a\nb\x1b")) == "a\\nb\\x1b"
    assert shown(Path(os.fsdecode(b"a\xff"))) == "a\\xff"


def test_errors_are_one_a_line_and_survive_pickling() -> None:
    errors = ConfigErrors([ConfigError(Path("x"), 1, "a", "b"), ConfigError(Path("x"), 2, "c", "d")])
    assert str(errors) == "x:1: a: b\nx:2: c: d"
    assert pickle.loads(pickle.dumps(errors)).errors == errors.errors
