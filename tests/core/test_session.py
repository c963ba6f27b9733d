"""What travels with a connection comes out as it went in, and nothing else gets in."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.core.session import SessionError, check_user, pack_session, pack_user, unpack_session, unpack_user

HASHABLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
PLAIN = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(HASHABLE, inner) | st.frozensets(HASHABLE)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_any_plain_data_is_the_same_user_in_the_next_worker(user: Any) -> None:
    there = unpack_user(pack_user(user))
    assert there == user
    assert type(there) is type(user)


@given(st.dictionaries(st.text(), PLAIN))
def test_so_is_a_session(session: dict[str, Any]) -> None:
    assert unpack_session(pack_session(session)) == session


def test_nobody_is_no_bytes_which_is_what_an_older_version_sends() -> None:
    assert pack_user(None) == b""
    assert unpack_user(b"") is None


@pytest.mark.parametrize("user", [object(), len, int, {"a": {1: lambda: 0}}, ValueError("x")])
def test_what_is_not_plain_data_is_refused_by_both(user: Any) -> None:
    with pytest.raises(SessionError, match=r"the user cannot be carried: it holds .*; allowed: None, bool,"):
        pack_user(user)
    with pytest.raises(TypeError, match="authenticate"):
        check_user(user)


def test_one_that_is_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SessionError, match="nested too deeply"):
        pack_user(deep)


def test_what_comes_in_never_makes_anything_but_plain_data() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"a session never names builtins.print"):
        unpack_user(pickle.dumps(print))
