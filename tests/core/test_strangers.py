"""Guessing what a stranger speaks."""

from __future__ import annotations

import pytest

from commscaffoldd.core.strangers import describe_stranger


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (b"\x16\x03\x01\x02\x00", "TLS hello"),
        (b"GET / HTTP/1.1\r\n", "HTTP request"),
        (b"PRI * HTTP/2.0", "HTTP request"),
        (b"SSH-2.0-OpenSSH_9.6", "SSH"),
    ],
)
def test_known_strangers(first: bytes, says: str) -> None:
    assert says in describe_stranger(first)


def test_unknown_ones() -> None:
    assert describe_stranger(b"\x00\x01\x02") == ""
    assert describe_stranger(b"") == ""
