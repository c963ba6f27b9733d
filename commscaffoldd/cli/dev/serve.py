"""A daemon that follows its files: from the first start on, which may fail and wait for a better file, too."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final

from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.dev.reloader import reloader
from commscaffoldd.cli.dev.speech import Voice, describe_changes, shown
from commscaffoldd.cli.dev.tree import Tree
from commscaffoldd.cli.dev.watch import Watch
from commscaffoldd.cli.failure import Failure
from commscaffoldd.cli.foreground import serve_in_foreground
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import load
from commscaffoldd.config.overrides import DEVELOPMENT, with_overrides
from commscaffoldd.config.schema import Config

_MASTER: Final = "commscaffoldd.master"


def serve_development(path: Path) -> int:
    """Serve until stopped; returns the exit code. The process must have no threads.

    A configuration or a plugin that is wrong does not end it: it says what is wrong, and waits for a change.
    """
    logging.getLogger(_MASTER).setLevel(logging.WARNING)  # a reload is one line here, not six
    voice = Voice()
    watch = Watch(Tree(path))
    while True:
        code, ready = _serve(path, watch, voice)
        if ready or code != exit_codes.CONFIGURATION:
            return code
        voice.say("waiting for a change")
        voice.say(describe_changes(watch.wait(lambda: True)))


def _serve(path: Path, watch: Watch, voice: Voice) -> tuple[int, bool]:
    """Serve, if that is possible; returns the exit code, and whether the daemon was ever ready."""
    try:
        config = with_overrides(load(path), DEVELOPMENT)
    except ConfigErrors as error:
        Failure(map(str, error.errors)).show()
        return exit_codes.CONFIGURATION, False
    started: list[bool] = []

    def on_ready() -> None:
        started.append(True)
        voice.say(f"watching {_watched(config)}: a change reloads, and connections stay")

    with reloader(watch, config.control_socket, config.daemon.start_timeout):
        code = serve_in_foreground(config, on_ready)
    sys.stderr.flush()
    return code, bool(started)


def _watched(config: Config) -> str:
    return ", ".join(map(shown, (config.path, *map(Path, config.plugins.path))))
