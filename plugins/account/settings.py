"""`[plugin.account]`: what can be set, and where the database lies if nothing is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

SYSTEM_FOLDER = Path("/var/lib/commscaffoldd")
MAX_MEMORY = 256 << 20
FILE = "account.sqlite3"


class Settings(Struct, frozen=True):
    """The keys of `[plugin.account]`; scrypt's defaults take about 16 MiB and a quarter of a second."""

    database: str = ""
    busy_timeout: Annotated[float, Meta(gt=0, le=60)] = 5.0
    attempts: Annotated[int, Meta(ge=1)] = 10
    min_password: Annotated[int, Meta(ge=1, le=255)] = 8
    scrypt_n: Annotated[int, Meta(ge=2, le=1 << 20)] = 1 << 14
    scrypt_r: Annotated[int, Meta(ge=1, le=64)] = 8
    scrypt_p: Annotated[int, Meta(ge=1, le=64)] = 5

    def __post_init__(self) -> None:
        """What types cannot say.

        Raises:
            ValueError: `database` is no absolute path, or scrypt cannot work with its parameters.
        """
        if self.scrypt_n & (self.scrypt_n - 1):
            raise ValueError(f"scrypt_n = {self.scrypt_n}: a power of two is needed, such as 16384")
        if self.scrypt_n >= 1 << (16 * self.scrypt_r):
            raise ValueError(f"scrypt_n = {self.scrypt_n}: with scrypt_r = {self.scrypt_r} at most 32768")
        if (memory := 128 * self.scrypt_n * self.scrypt_r) > MAX_MEMORY:
            raise ValueError(
                f"scrypt_n = {self.scrypt_n} and scrypt_r = {self.scrypt_r} take {memory >> 20} MiB for every login: "
                f"at most {MAX_MEMORY >> 20} are allowed"
            )
        if self.database and not Path(self.database).expanduser().is_absolute():
            raise ValueError(
                f"database = {self.database!r}: an absolute path is needed, such as {SYSTEM_FOLDER / FILE}"
            )

    @property
    def path(self) -> Path:
        """The database file."""
        return Path(self.database).expanduser() if self.database else default_folder() / FILE

    @property
    def folder_is_ours(self) -> bool:
        """Whether the folder may be made if it is missing; a configured one is the operator's."""
        return not self.database


def default_folder() -> Path:
    """The state folder that systemd gives; else /var/lib/commscaffoldd if writable; else the user's own."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0])
    if os.access(SYSTEM_FOLDER, os.W_OK | os.X_OK):
        return SYSTEM_FOLDER
    base = os.environ.get("XDG_STATE_HOME", "")
    if not Path(base).is_absolute():  # the specification: a relative one is to be ignored
        base = str(Path("~/.local/state").expanduser())
    return Path(base) / "commscaffoldd"
