"""Which configuration file is meant, and where a daemon started from it keeps its control socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import tomli

from commscaffoldd.config.errors import ConfigError, ConfigErrors
from commscaffoldd.config.load import read_text
from commscaffoldd.config.paths import run_dir

ENVIRONMENT: Final = "COMMSCAFFOLDD_CONFIG"
PLACES: Final = (Path("etc/commscaffoldd.toml"), Path("/etc/commscaffoldd/commscaffoldd.toml"))


def find_config(option: str | None) -> Path:
    """The configuration file that is meant, absolute.

    That is `option` (the value of --config), else $COMMSCAFFOLDD_CONFIG, else the first of the usual places
    that has one.

    Raises:
        ConfigErrors: the file that was asked for does not exist, or none was asked for and the usual
            places have none.
    """
    asked = option if option is not None else os.environ.get(ENVIRONMENT) or None
    if asked is not None:
        path = Path(os.path.abspath(asked))  # noqa: PTH100  # resolve() would follow symbolic links
        if not asked or not os.path.lexists(path):
            said = "--config" if option is not None else f"${ENVIRONMENT}"
            problem = f"no such file, named by {said}" if asked else f"{said} is empty; allowed: the path of a file"
            raise ConfigErrors([ConfigError(path, None, "", problem)])
        return path
    for place in PLACES:
        if os.path.lexists(place):
            return Path(os.path.abspath(place))  # noqa: PTH100
    problem = f"no configuration file here, nor at {PLACES[1]}; name one by --config or ${ENVIRONMENT}"
    raise ConfigErrors([ConfigError(Path(os.path.abspath(PLACES[0])), None, "", problem)])  # noqa: PTH100


def run_dir_of(path: Path) -> Path:
    """Where the daemon started from this file keeps pidfile and control socket.

    Never raises: `stop` and `status` must reach a daemon whose configuration has been broken since.
    Keys other than `daemon.run_dir` are not looked at; a file that cannot be read gives the default folder.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100
    try:
        text = read_text(path)
    except ConfigErrors:
        return Path(run_dir("", path))
    found = _run_dir_in(text)
    if found is None:
        found = _search_lines(text)
    return Path(run_dir(found or "", path))


def _run_dir_in(text: str) -> str | None:
    """The value of daemon.run_dir in a TOML text; `""` if it has none, `None` if the text is not TOML."""
    try:
        value: object = tomli.loads(text)
    except (ValueError, RecursionError):
        return None
    for key in ("daemon", "run_dir"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and "\0" not in value else ""


def _search_lines(text: str) -> str | None:
    """The same from a text with a syntax error somewhere: each line that may set it is read on its own."""
    header = ""
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            header = line
        elif "run_dir" in line and (found := _run_dir_in(f"{header}\n{line}")):
            return found
    return None
