"""The checksum is zlib's, whoever computes it."""

from __future__ import annotations

import builtins
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.core import checksum


@given(st.binary(max_size=2000))
def test_it_is_that_of_zlib(body: bytes) -> None:
    assert checksum.crc32(body) == zlib.crc32(body)


def test_isal_is_used_where_it_is_installed() -> None:
    isal_zlib = pytest.importorskip("isal.isal_zlib")
    assert checksum.crc32 is isal_zlib.crc32


def test_without_isal_it_is_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def no_isal(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("isal"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", no_isal)
    assert checksum._choose() is zlib.crc32
