"""The accounts' table in SQLite.

Several workers have the file open at once: WAL lets readers and the one writer pass each other, the busy timeout
makes writers wait for one another, and the primary key decides who gets a name. Within a worker one connection is
shared under a lock; every statement takes microseconds, the hashing happens outside.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from .passwords import Cost, Hash

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL, r INTEGER NOT NULL, p INTEGER NOT NULL,
    salt BLOB NOT NULL, digest BLOB NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID
"""


class StoreError(Exception):
    """The database cannot be used; the text names it and says why."""


class Store:
    """The table. Any thread may call, between `open` and `close`."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def check(self) -> None:
        """Find out whether `open` would work, without making anything: `check` may be run by another user.

        Raises:
            StoreError: it would not.
        """
        if self.path.exists():
            with self._errors(), contextlib.closing(self._connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")  # needs the right to write
                connection.execute("ROLLBACK")
            return
        folder = self.path.parent
        if not folder.is_dir():
            raise self._error(f"there is no folder {folder}: make it, or set `database` to another path")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise self._error(f"this user may not write to the folder {folder}")

    def make_folder(self) -> None:
        """Make the database's folder, for this user only, if it is missing.

        Raises:
            StoreError: it cannot be made.
        """
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def open(self) -> None:
        """Open the database, and make file and table if they are missing.

        Raises:
            StoreError: the folder is missing or not writable, the file is no database, it stays locked.
        """
        if not self.path.exists():
            self.check()
        with self._errors():
            # SQLite would make it readable by all; its -wal and -shm files take over this mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            connection = self._connect()
            try:
                self._to_wal(connection)
                connection.execute("PRAGMA synchronous=NORMAL")  # with WAL: a power cut may lose the latest, no more
                connection.execute(SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection

    def close(self) -> None:
        """Close the database; twice is harmless."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def add(self, name: str, kept: Hash) -> bool:
        """Add an account; `False` if the name is taken.

        Raises:
            StoreError: the database cannot be written now.
        """
        values = (name, kept.cost.n, kept.cost.r, kept.cost.p, kept.salt, kept.digest, int(time.time()))
        with self._errors(), self._lock:
            try:
                self._open_connection().execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            except sqlite3.IntegrityError:
                return False
            return True

    def find(self, name: str) -> Hash | None:
        """What is kept of a name's password; `None` if there is no such name.

        Raises:
            StoreError: the database cannot be read now.
        """
        with self._errors(), self._lock:
            row = (
                self._open_connection()
                .execute("SELECT n, r, p, salt, digest FROM account WHERE name = ?", (name,))
                .fetchone()
            )
        return None if row is None else Hash(Cost(*row[:3]), row[3], row[4])

    def _connect(self) -> sqlite3.Connection:
        # isolation_level=None: every statement is its own transaction, and nothing begins one unasked.
        return sqlite3.connect(self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False)

    def _to_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL. While another process writes, SQLite refuses this at once, whatever the busy timeout."""
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise self._error("it is not open")
        return self._connection

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._error(error.strerror if isinstance(error, OSError) else str(error)) from error

    def _error(self, reason: str | None) -> StoreError:
        return StoreError(f"the database {self.path} cannot be used: {reason}")
