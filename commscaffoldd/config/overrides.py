"""What a command sets in place of the configuration file, for as long as its daemon lives."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from commscaffoldd.config.schema import Config, Log, Overrides

DEVELOPMENT: Final = Overrides(workers=1, log=Log(level="debug", format="terminal"))
"""For somebody at a terminal: one worker, whose log and plugins' tracebacks can be read there."""


def with_overrides(config: Config, overrides: Overrides) -> Config:
    """The configuration with these in effect; it keeps them, for the next reload."""
    return structs.replace(
        config,
        daemon=structs.replace(config.daemon, workers=config.daemon.workers or overrides.workers),
        log=overrides.log or config.log,
        overrides=overrides,
    )
