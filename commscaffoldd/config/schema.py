"""What can be configured: every section, key, default and bound. `docs/configuration.md` says it in prose.

The sections about a worker's inside stand in `commscaffoldd.core.settings` and `commscaffoldd.core.layout`.
All times are seconds, all sizes bytes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from commscaffoldd.core.settings import (
    BusinessSettings,
    ConnectionSettings,
    FloodSettings,
    FrameSettings,
    HeartbeatSettings,
    LoginSettings,
    NotNegative,
    Positive,
    QuarantineSettings,
)


class Daemon(Struct, frozen=True, forbid_unknown_fields=True):
    """`[daemon]`: processes, and where the running daemon keeps its files."""

    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    run_dir: str = ""
    user: str = ""
    group: str = ""
    stop_timeout: NotNegative = 30.0
    start_timeout: Positive = 30.0
    handover_timeout: NotNegative = 10.0
    max_messages: Annotated[int, Meta(ge=0, le=1 << 62)] = 0
    max_memory: Annotated[int, Meta(ge=0, le=1 << 50)] = 0
    max_age: NotNegative = 0.0
    recycle_jitter: Annotated[float, Meta(ge=0, le=0.9)] = 0.1
    worker_timeout: NotNegative = 40.0


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`: where to, from which level on, in which form."""

    file: str = ""
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json", "terminal"] = "text"


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[listen]]`: one address, what is spoken there, and how workers share it."""

    address: str = "127.0.0.1:9000"
    layout: str = "standard"
    accept: Literal["exclusive", "mutex", "reuseport"] = "exclusive"
    backlog: Annotated[int, Meta(ge=1, le=65535)] = 4096
    default_id: Annotated[int, Meta(ge=1, le=(1 << 32) - 1)] = 1


class Plugins(Struct, frozen=True, forbid_unknown_fields=True):
    """`[plugins]`: where plugins are found, and which of them are left out."""

    path: tuple[str, ...] = ("../plugins",)
    disabled: tuple[str, ...] = ()


class Overrides(Struct, frozen=True):
    """What the command that started the daemon sets in place of the file: `config.overrides`.

    Attributes:
        workers: how many, if the file leaves that open; 0 for as many as without this.
        log: instead of the file's `[log]`.
    """

    workers: int = 0
    log: Log | None = None


class Config(Struct, frozen=True, kw_only=True):
    """A whole configuration. One that `load` returned is checked, and its paths are absolute.

    Attributes:
        path: the file it came from, absolute.
        layout: the custom layouts; `layout_of` knows the presets too.
        plugin: each plugin's own settings, as they stand in the file.
        overrides: what is not from the file.
    """

    path: Path
    daemon: Daemon = Daemon()
    log: Log = Log()
    listen: tuple[Listen, ...] = (Listen(),)
    layout: dict[str, LayoutSpec] = field(default_factory=dict)
    frame: FrameSettings = FrameSettings()
    connections: ConnectionSettings = ConnectionSettings()
    business: BusinessSettings = BusinessSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    login: LoginSettings = LoginSettings()
    flood: FloodSettings = FloodSettings()
    plugins: Plugins = Plugins()
    plugin: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: Overrides = Overrides()

    def layout_of(self, listen: Listen) -> Layout:
        """The header layout that is spoken at an address of this configuration."""
        preset = PRESETS.get(listen.layout)
        return preset or Layout.from_spec(listen.layout, self.layout[listen.layout])

    @property
    def worker_count(self) -> int:
        """How many workers are meant: as configured, or one for each CPU that this process may use."""
        return self.daemon.workers or len(os.sched_getaffinity(0))

    @property
    def pidfile(self) -> Path:
        """The master's locked pidfile."""
        return Path(self.daemon.run_dir) / "commscaffoldd.pid"

    @property
    def control_socket(self) -> Path:
        """The unix socket on which the master takes commands."""
        return Path(self.daemon.run_dir) / "control.sock"
