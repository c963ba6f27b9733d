"""Reads a configuration. Either everything is right, or all that is wrong is listed at once."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import tomli
from msgspec import Struct, structs

from commscaffoldd.config.checks import check
from commscaffoldd.config.convert import convert_section, report_unknown
from commscaffoldd.config.describe import describe_value
from commscaffoldd.config.errors import ConfigError, ConfigErrors, dotted
from commscaffoldd.config.findings import Findings
from commscaffoldd.config.free_form import check_free_form
from commscaffoldd.config.lines import locate_keys
from commscaffoldd.config.paths import with_absolute_paths
from commscaffoldd.config.schema import (
    Config,
    Daemon,
    Listen,
    Log,
    Plugins,
)
from commscaffoldd.core.layout import LayoutSpec
from commscaffoldd.core.settings import (
    BusinessSettings,
    ConnectionSettings,
    FloodSettings,
    FrameSettings,
    HeartbeatSettings,
    LoginSettings,
    QuarantineSettings,
)

MAX_FILE_SIZE: Final = 4 << 20

SECTIONS: Final[dict[str, type[Struct]]] = {
    "daemon": Daemon,
    "log": Log,
    "frame": FrameSettings,
    "connections": ConnectionSettings,
    "business": BusinessSettings,
    "quarantine": QuarantineSettings,
    "heartbeat": HeartbeatSettings,
    "login": LoginSettings,
    "flood": FloodSettings,
    "plugins": Plugins,
}
"""The sections that are one table of known keys each."""

OTHER_SECTIONS: Final = ("listen", "layout", "plugin")

_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def load(path: Path) -> Config:
    """Read and check the configuration file at `path`.

    Raises:
        ConfigErrors: the file cannot be read, or something in it is wrong.
    """
    return parse(read_text(path), path)


def read_text(path: Path) -> str:
    """The text of a configuration file, for `parse`. Raises ConfigErrors if it is no readable UTF-8 file."""
    data = _read_bytes(path)
    try:
        return data.decode("utf-8-sig")  # editors on Windows put a byte order mark, which TOML does not allow
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{data[error.start]:02x} is not UTF-8; allowed: TOML, which is always UTF-8"
        raise ConfigErrors([ConfigError(path, line, "", problem)]) from None


def parse(text: str, path: Path) -> Config:
    """Check a configuration's text; relative paths in it are taken from the folder of its file, `path`.

    Raises:
        ConfigErrors: something in it is wrong; all that is wrong is listed.
    """
    document = _parse_toml(text, path)
    findings = Findings(path, locate_keys(text))
    homes = {key.name: f"{name}.{key.name}" for name, kind in SECTIONS.items() for key in structs.fields(kind)}
    report_unknown(document, (*SECTIONS, *OTHER_SECTIONS), (), findings, homes)
    homes |= _misplaced_plugin_settings(document)
    sections: dict[str, Any] = {
        name: convert_section(kind, document.get(name, {}), (name,), findings, homes) or kind()
        for name, kind in SECTIONS.items()
    }
    config = with_absolute_paths(
        Config(
            path=Path(os.path.abspath(path)),  # noqa: PTH100  # resolve() would follow symbolic links
            listen=_read_listeners(document, findings),
            layout=_read_layouts(document, findings),
            plugin=_read_plugin_settings(document, findings),
            **sections,
        )
    )
    check(config, findings)
    findings.raise_if_any()
    return config


def _read_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                data = file.read(MAX_FILE_SIZE + 1)
                problem = f"larger than {MAX_FILE_SIZE} bytes" if len(data) > MAX_FILE_SIZE else ""
            else:
                problem = "not a regular file"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except ValueError as error:  # a NUL in the name
        problem = f"cannot be read: {error}"
    if problem:
        raise ConfigErrors([ConfigError(path, None, "", problem)])
    return data


def _open_at_once(name: str, flags: int) -> int:
    """Without O_NONBLOCK, opening a FIFO that has no writer would wait for ever."""
    return os.open(name, flags | os.O_NONBLOCK)


def _parse_toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
        problem = f"not valid TOML: {error}"
    except (ValueError, RecursionError) as error:
        # Raised from below the parser: an integer of thousands of digits, arrays in arrays in arrays.
        line, problem = None, f"not valid TOML: {error}"
    raise ConfigErrors([ConfigError(path, line, "", problem)])


def _read_listeners(document: dict[str, Any], findings: Findings) -> tuple[Listen, ...]:
    tables = document.get("listen", [{}])
    if not isinstance(tables, list):
        allowed = "an array of tables, each one written [[listen]]"
        findings.add(("listen",), f"found {describe_value(tables)}; allowed: {allowed}")
        return ()
    return tuple(
        convert_section(Listen, table, ("listen", index), findings) or Listen() for index, table in enumerate(tables)
    )


def _read_layouts(document: dict[str, Any], findings: Findings) -> dict[str, LayoutSpec]:
    layouts: dict[str, LayoutSpec] = {}
    for name, table in _named_tables(document, "layout", findings).items():
        spec = convert_section(LayoutSpec, table, ("layout", name), findings)
        if spec is not None:
            layouts[name] = spec
    return layouts


def _read_plugin_settings(document: dict[str, Any], findings: Findings) -> dict[str, dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {}
    for name, table in _named_tables(document, "plugin", findings).items():
        if isinstance(table, dict):
            check_free_form(table, ("plugin", name), findings)
            settings[name] = table
        else:
            hint = "; did you mean [plugins]?" if name in structs.asdict(Plugins()) else ""
            allowed = f"a table, written [{dotted(('plugin', name))}]"
            findings.add(("plugin", name), f"found {describe_value(table)}; allowed: {allowed}{hint}")
    return settings


def _misplaced_plugin_settings(document: dict[str, Any]) -> dict[str, str]:
    """`[plugins.NAME]`, with an s, is the slip of everyone's fingers."""
    plugins = document.get("plugins")
    tables = plugins if isinstance(plugins, dict) else {}
    return {name: f"[{dotted(('plugin', name))}]" for name, value in tables.items() if isinstance(value, dict)}


def _named_tables(document: dict[str, Any], section: str, findings: Findings) -> dict[str, Any]:
    tables = document.get(section, {})
    if isinstance(tables, dict):
        return tables
    allowed = f"tables, each one written [{section}.NAME]"
    findings.add((section,), f"found {describe_value(tables)}; allowed: {allowed}")
    return {}
