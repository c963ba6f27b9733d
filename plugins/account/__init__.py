"""Account: register and log in, kept in SQLite. See README.md for the messages."""

from __future__ import annotations

from commscaffoldd import hookimpl

from .handlers import Account
from .settings import Settings


@hookimpl
def create_plugin(settings: Settings) -> Account:
    """One `Account` in each worker."""
    return Account(settings)
