"""Account: register and log in, kept in SQLite. See README.md for the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commscaffoldd import hookimpl

from .handlers import Account
from .settings import read


@hookimpl
def create_plugin(settings: Mapping[str, Any]) -> Account:
    """One `Account` in each worker."""
    return Account(read(settings))
