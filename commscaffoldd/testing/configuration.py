"""The configuration of a worker under test: a daemon's defaults, on loopback ports that the kernel chooses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import tomli
import tomli_w

from commscaffoldd.config.load import parse, read_text
from commscaffoldd.config.schema import Config
from commscaffoldd.testing.sources import SubjectError

DEFAULTS: Final[Mapping[str, Any]] = {
    "daemon": {"workers": 1},
    "listen": [{}],
    "connections": {"initial": 4},  # slots are made when they are needed: a test has few connections
}

_OF_THE_MACHINE: Final = ("daemon", "log", "plugins")
"""Sections that say where a daemon lives; a worker under test lives in its test."""


def make_config(sections: Mapping[str, Any], folder: Path) -> Config:
    """A configuration of these sections, checked as the daemon checks its file; the rest is at its defaults.

    Args:
        sections: as in the file: `{"business": {"threads": 1}}`.
        folder: relative paths are taken from here.

    Raises:
        ConfigErrors: all that is wrong with them.
        SubjectError: there is something in them that a file cannot hold.
    """
    whole = merged(DEFAULTS, sections)
    if isinstance(whole["listen"], list):
        whole["listen"] = [_anywhere(one) for one in whole["listen"]]
    try:
        text = tomli_w.dumps(whole)
    except TypeError as error:
        raise SubjectError(
            f"settings= or config= hold what no configuration file can: {error} (a key is a str; there is no None: "
            "leave the key out)"
        ) from None
    return parse(text, folder / "configuration of the test")


def sections_of(path: Path, plugins: Collection[str]) -> dict[str, Any]:
    """What a worker under test takes over from a daemon's configuration file.

    That is all but addresses, the sections on processes, log and plugins' folders, and other plugins' settings.

    Args:
        path: the file.
        plugins: names of the plugins under test.

    Raises:
        ConfigErrors: the file cannot be read, or something in it is wrong.
    """
    text = read_text(path)
    parse(text, path)  # so that an error in it is shown with its line
    sections = {name: table for name, table in tomli.loads(text).items() if name not in _OF_THE_MACHINE}
    for listen in sections.get("listen", []):
        listen.pop("address", None)
    settings = sections.pop("plugin", {})
    return sections | {"plugin": {name: table for name, table in settings.items() if name in plugins}}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables, with those of `above` put over those of `below`, key by key; a list is replaced."""
    result = dict(below)
    for name, value in above.items():
        known = result.get(name)
        result[name] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return result


def _anywhere(listen: object) -> object:
    """A `[[listen]]` at any port, if it does not say at which."""
    return {"address": "127.0.0.1:0", **listen} if isinstance(listen, Mapping) else listen
