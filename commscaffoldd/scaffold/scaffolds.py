"""The two scaffolds: a plugin, and a project with one."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Final

from commscaffoldd.scaffold.ids import FIRST, free_id
from commscaffoldd.scaffold.names import NameRefusedError, check_name, class_name, quoted_for_systemd, service_name
from commscaffoldd.scaffold.render import render, write
from commscaffoldd.version import __version__

EXAMPLE: Final = "hello"
"""The plugin of a new project."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scaffold:
    """What has been made.

    Attributes:
        folder: the new plugin's or project's.
        files: in it, sorted.
        first_id: the message ID of the plugin's handler.
    """

    folder: Path
    files: tuple[Path, ...]
    first_id: int


def new_plugin(name: str, folder: Path, first_id: int | None = None) -> Scaffold:
    """Make a plugin.

    Args:
        name: its name.
        folder: of plugins; it is made if it is missing.
        first_id: the message ID of its handler; `None`: one that is free.

    Raises:
        NameRefusedError: the name cannot be a plugin's.
        InTheWayError: files are there already.
        OSError: one cannot be made.
    """
    check_name(name, folder)
    message_id = free_id(folder) if first_id is None else first_id
    files = _plugin_files(name, folder, message_id)
    write(files)
    return Scaffold(folder / name, tuple(sorted(files)), message_id)


def new_project(folder: Path) -> Scaffold:
    """Make a project with one plugin.

    Raises:
        NameRefusedError: the folder's name cannot be a service's.
        InTheWayError, OSError: as `new_plugin`.
    """
    # Not `resolve`, which a loop of links ends: what is wrong with the folder shows when it is written to.
    whole = Path(os.path.realpath(folder))
    if not str(whole).isprintable():
        raise NameRefusedError(
            f"{str(whole)!r} cannot be a project's folder: its unit and configuration name it, line by line"
        )
    values = {
        "project": whole.name,
        "service": service_name(whole.name),
        "folder": str(whole).replace("%", "%%"),
        "config": quoted_for_systemd(str(whole / "etc" / "commscaffoldd.toml")),
        "run": quoted_for_systemd(str(whole / "run")),
        "python": quoted_for_systemd(sys.executable),
        "plugin": EXAMPLE,
        "version": __version__,
    }
    files = {folder / path: text for path, text in render("project", values).items()}
    files |= _plugin_files(EXAMPLE, folder / "plugins", FIRST)
    write(files)
    return Scaffold(folder, tuple(sorted(files)), FIRST)


def _plugin_files(name: str, folder: Path, first_id: int) -> dict[Path, str]:
    values = {"name": name, "class": class_name(name), "id": first_id}
    return {folder / name / path: text for path, text in render("plugin", values).items()}
