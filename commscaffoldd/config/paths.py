"""Paths as configured, made absolute: relative ones are taken from the configuration file's folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from msgspec import structs

from commscaffoldd.config.schema import Config, Listen

UNIX: Final = "unix:"
SYSTEM_RUN_DIR: Final = Path("/run/commscaffoldd")


def default_run_dir() -> Path:
    """Where the pidfile and the control socket stand by default; depends on the effective user.

    A user who owns /run/commscaffoldd is the daemon's own, as whom systemd started it or to whom root has dropped:
    for this user the place is the same as for the root who types `commscaffoldd status`.
    """
    if os.geteuid() == 0 or _owns(SYSTEM_RUN_DIR):
        return SYSTEM_RUN_DIR
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return Path(runtime) / "commscaffoldd"
    return Path(f"/tmp/commscaffoldd-{os.geteuid()}")  # noqa: S108  # the master checks who owns it


def _owns(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def absolute(text: str, folder: Path) -> str:
    """A path without `..`, taken from the folder if it is relative. Symbolic links are not followed."""
    return os.path.normpath(folder / text)


def run_dir(text: str, path: Path) -> str:
    """The effective `daemon.run_dir` of the configuration file at `path`."""
    return absolute(text, path.parent) if text else str(default_run_dir())


def with_absolute_paths(config: Config) -> Config:
    """The same configuration with every path of the schema absolute."""
    folder = config.path.parent
    return structs.replace(
        config,
        daemon=structs.replace(config.daemon, run_dir=run_dir(config.daemon.run_dir, config.path)),
        log=structs.replace(config.log, file=config.log.file and absolute(config.log.file, folder)),
        listen=tuple(_listen(listen, folder) for listen in config.listen),
        plugins=structs.replace(config.plugins, path=tuple(absolute(text, folder) for text in config.plugins.path)),
    )


def _listen(listen: Listen, folder: Path) -> Listen:
    name = listen.address.removeprefix(UNIX)
    if name in (listen.address, ""):
        return listen
    return structs.replace(listen, address=UNIX + absolute(name, folder))
