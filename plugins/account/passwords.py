"""Password hashes: scrypt, with a salt for each and its parameters beside it. Any thread may call.

`hashlib.scrypt` releases the GIL, so the worker's other threads run on meanwhile.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets

SALT_BYTES = 16
HASH_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters: memory is 128 * n * r bytes, time grows with n * r * p."""

    n: int
    r: int
    p: int


@dataclasses.dataclass(frozen=True, slots=True)
class Hash:
    """What is kept of a password."""

    cost: Cost
    salt: bytes
    digest: bytes

    def fits(self, password: str) -> bool:
        """Whether this is the password; compared in constant time."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.cost), self.digest)


def make(password: str, cost: Cost) -> Hash:
    """A new hash, with a salt of its own."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Hash(cost, salt, _scrypt(password, salt, cost))


def nobody(cost: Cost) -> Hash:
    """A hash that no password fits, to be tried for names that do not exist: it takes the same time."""
    return Hash(cost, secrets.token_bytes(SALT_BYTES), secrets.token_bytes(HASH_BYTES))


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    # OpenSSL refuses by default what needs more than 32 MiB; this is its own sum, with room.
    maxmem = 2 * 128 * cost.r * (cost.n + cost.p + 2)
    return hashlib.scrypt(password.encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=maxmem, dklen=HASH_BYTES)
