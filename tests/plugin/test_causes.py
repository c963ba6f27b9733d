from __future__ import annotations

import logging
from pathlib import Path

import pytest

from commscaffoldd.plugin.causes import log_causes
from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import load_plugins


def errors_of(folder: Path, source: str) -> PluginErrors:
    (folder / "broken.py").write_text(source)
    with pytest.raises(PluginErrors) as raised:
        load_plugins([folder], (), {})
    return raised.value


def test_a_traceback_begins_with_the_plugins_own_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    errors = errors_of(tmp_path, "def deep():\n    return 1 / 0\n\ndeep()\n")
    with caplog.at_level(logging.DEBUG, "commscaffoldd"):
        log_causes(errors.errors)
    lines = [line.strip() for line in caplog.text.splitlines() if line.strip().startswith("File")]
    assert [line.partition(", line ")[2] for line in lines] == ["4, in <module>", "2, in deep"]
    assert "ZeroDivisionError" in caplog.text


def test_it_is_not_for_everyday(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "commscaffoldd"):
        log_causes(errors_of(tmp_path, "1 / 0\n").errors)
    assert caplog.text == ""


def test_what_the_configuration_is_to_blame_for_has_none(tmp_path: Path) -> None:
    source = (
        "from commscaffoldd import hookimpl\nfrom commscaffoldd.plugin.errors import SettingsError\n"
        "@hookimpl\ndef create_plugin(settings):\n    raise SettingsError('rooms: too many')\n"
    )
    assert [error.cause for error in errors_of(tmp_path, source).errors] == [None]
