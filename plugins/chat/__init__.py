"""Chat: rooms within a worker, with pushes to their members. See README.md for the messages."""

from __future__ import annotations

from commscaffoldd import hookimpl

from .handlers import Chat, Settings


@hookimpl
def create_plugin(settings: Settings) -> Chat:
    """One `Chat` in each worker."""
    return Chat(settings)
