"""Chat: rooms within a worker, with pushes to their members. See README.md for the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commscaffoldd import hookimpl
from commscaffoldd.plugin.settings import read_settings

from .handlers import Chat, Settings


@hookimpl
def create_plugin(settings: Mapping[str, Any]) -> Chat:
    """One `Chat` in each worker."""
    return Chat(read_settings(Settings, settings))
