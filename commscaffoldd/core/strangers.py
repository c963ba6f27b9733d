"""Guesses what somebody speaks who does not speak our protocol: for the one line that the log gets."""

from __future__ import annotations

_TLS_HANDSHAKE = b"\x16\x03"
_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"PRI ", b"DELE", b"PATC")


def describe_stranger(first_bytes: bytes) -> str:
    """Text to append to an error about a connection's first bytes; empty if they look like nothing known."""
    if first_bytes.startswith(_TLS_HANDSHAKE):
        return " (this looks like a TLS hello)"
    if first_bytes.startswith(_HTTP_METHODS):
        return " (this looks like an HTTP request)"
    if first_bytes.startswith(b"SSH-"):
        return " (this looks like SSH)"
    return ""
