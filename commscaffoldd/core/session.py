"""A connection's session and user as bytes: how they travel from one worker to another.

Plain data only, and it comes out as it went in: a tuple stays a tuple. What a plugin's own class would need, its
module, may be another one over there.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final, NoReturn

_PROTOCOL: Final = 5  # of Python 3.8: any worker of any version that can run this reads it
_ALLOWED: Final = "None, bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset"


class SessionError(Exception):
    """A session cannot be carried; str() says what is in the way, and what is allowed."""


class _Packer(pickle.Pickler):
    def reducer_override(self, value: object) -> NoReturn:
        # Called for all that is not plain data: for that, pickle has opcodes.
        raise SessionError(f"it holds {_name(type(value))}; allowed: {_ALLOWED}")


class _Unpacker(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"a session never names {module}.{name}")


def pack_session(session: dict[str, Any]) -> bytes:
    """The session as bytes; empty for an empty one.

    Raises:
        SessionError: it holds something else than plain data, naming the key, or nests too deeply.
    """
    if not session:
        return b""
    try:
        return _pack(session)
    except SessionError:
        raise _with_key(session) from None


def unpack_session(data: bytes) -> dict[str, Any]:
    """What `pack_session` has packed."""
    return _Unpacker(io.BytesIO(data)).load() if data else {}


def check_user(user: object) -> None:
    """Make sure that a user can be carried from worker to worker.

    Raises:
        TypeError: it cannot, or is `None`; says what is in the way, and what is allowed.
    """
    if user is None:
        raise TypeError("authenticate(None): None means that nobody has logged in; give a name, a number, a dict")
    try:
        pack_user(user)
    except SessionError as error:
        raise TypeError(f"authenticate({_name(type(user))}): {error}") from None


def pack_user(user: object) -> bytes:
    """The user as bytes; empty for `None`.

    Raises:
        SessionError: it holds something else than plain data, or nests too deeply.
    """
    if user is None:
        return b""
    try:
        return _pack(user)
    except SessionError as error:
        raise SessionError(f"the user cannot be carried: {error}") from None


def unpack_user(data: bytes) -> Any:  # noqa: ANN401  # whatever plain data it was
    """What `pack_user` has packed."""
    return _Unpacker(io.BytesIO(data)).load() if data else None


def _pack(value: object) -> bytes:
    buffer = io.BytesIO()
    try:
        _Packer(buffer, _PROTOCOL).dump(value)
    except RecursionError:
        raise SessionError("it is nested too deeply") from None
    except RuntimeError as error:  # another thread changes it now
        raise SessionError(str(error)) from None
    return buffer.getvalue()


def _with_key(session: dict[str, Any]) -> SessionError:
    for key, value in list(session.items()):
        try:
            _pack({key: value})
        except SessionError as error:
            return SessionError(f"session[{key!r}] cannot be carried: {error}")
    return SessionError("the session was changed while it was packed")


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
