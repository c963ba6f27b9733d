"""The two messages, register and login, and the hooks around them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from commscaffoldd import Request, handler, hookimpl

from . import passwords
from .messages import Answer, MalformedError, Status, parse
from .settings import Settings
from .store import Store, StoreError

REGISTER = 5
LOGIN = 6

USER = "user"  # in a connection's session: the name it has logged in with; other plugins may read it
ATTEMPTS = "account.attempts"

_Act: TypeAlias = Callable[[Request, str, str], Answer]

logger = logging.getLogger("commscaffoldd.plugin.account")


class Account:
    """The plugin's state in one worker.

    The handlers run in several pool threads, but for one connection one at a time: its session needs no lock.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cost = passwords.Cost(settings.scrypt_n, settings.scrypt_r, settings.scrypt_p)
        self._nobody = passwords.nobody(self._cost)
        self._store = Store(settings.path, settings.busy_timeout)

    @hookimpl
    def self_test(self) -> None:
        """The database can be opened, or made."""
        if self._settings.folder_is_ours and not self._settings.path.parent.exists():
            return  # the first worker makes it
        self._store.check()

    @hookimpl
    def worker_started(self) -> None:
        """Open the database."""
        if self._settings.folder_is_ours:
            self._store.make_folder()
        self._store.open()

    @hookimpl
    def worker_stopping(self) -> None:
        """Close the database."""
        self._store.close()

    @handler(REGISTER)
    def register(self, request: Request) -> Answer:
        """Make an account. It does not log in."""
        return self._answer(request, self._register)

    @handler(LOGIN)
    def login(self, request: Request) -> Answer:
        """Log this connection in."""
        return self._answer(request, self._login)

    def _answer(self, request: Request, act: _Act) -> Answer:
        try:
            name, password = parse(request.body)
        except MalformedError as error:
            return Answer(Status.MALFORMED, str(error))
        session = request.connection.session
        attempts = session.get(ATTEMPTS, 0) + 1
        if attempts > self._settings.attempts:
            return Answer(Status.TOO_MANY_ATTEMPTS, "too many attempts on this connection")
        session[ATTEMPTS] = attempts  # before the hashing: that is what an attacker wants us to do
        try:
            return act(request, name, password)
        except StoreError:
            logger.exception("message %d failed", request.id, extra={"connection": request.connection.id})
            return Answer(Status.NOT_AVAILABLE, "not available now, try again later")

    def _register(self, request: Request, name: str, password: str) -> Answer:
        del request
        if len(password) < self._settings.min_password:
            return Answer(Status.MALFORMED, f"a password has at least {self._settings.min_password} characters")
        # First without hashing: a taken name should not cost a quarter of a second. The insert decides.
        if self._store.find(name) is not None or not self._store.add(name, passwords.make(password, self._cost)):
            return Answer(Status.NAME_TAKEN, "this name is taken")
        return Answer(Status.OK, "registered")

    def _login(self, request: Request, name: str, password: str) -> Answer:
        kept = self._store.find(name)
        # An unknown name takes as long as a wrong password, and is told the same.
        fits = (kept or self._nobody).fits(password)
        if kept is None or not fits:
            return Answer(Status.WRONG, "wrong name or password")
        request.connection.session[USER] = name
        request.connection.session.pop(ATTEMPTS, None)
        return Answer(Status.OK, f"welcome, {name}")
