"""Bodies for people: text where it is text, JSON where its format is known or plain to see, else a hex dump."""

from __future__ import annotations

from typing import Final

import msgspec

from commscaffoldd.cli.body import hex_dump
from commscaffoldd.cli.typed.body import FORMATS, NotConvertible, body_to_json
from commscaffoldd.log.escape import escape

_MOST: Final = 4096  # bytes shown
_WIDE: Final = 88  # characters of JSON on one line


def body_lines(body: bytes, format_name: str | None) -> list[str]:
    """The body in lines. `format_name`: the codec's, if it is known.

    What comes from the server cannot move the cursor or change colours: control characters are shown as text.
    """
    if not body:
        return ["(empty)"]
    if len(body) > _MOST:
        return [*_dump(body[:_MOST]), f"… {len(body) - _MOST} bytes more"]
    as_json = _json(body, format_name)
    if as_json is not None:
        text = as_json.decode()
        return [escape(text)] if len(text) <= _WIDE else _pretty(as_json)
    text = body.decode("utf-8", "replace")
    if "\ufffd" not in text and all(character.isprintable() or character in "\r\n\t" for character in text):
        return [escape(line.rstrip("\r")) for line in text.rstrip("\n").split("\n")]
    return _dump(body)


def _json(body: bytes, format_name: str | None) -> bytes | None:
    formats = [format_name] if format_name in FORMATS and format_name != "str" else []
    if format_name is None:
        formats = ["json", "msgpack"]
    for name in formats:
        try:
            shown = body_to_json(body, name)
        except NotConvertible:
            continue
        if format_name is not None or shown[:1] in (b"{", b"["):  # else too much that is text would be a number
            return shown
    return None


def _pretty(text: bytes) -> list[str]:
    return [escape(line) for line in msgspec.json.format(text, indent=2).decode().splitlines()]


def _dump(body: bytes) -> list[str]:
    return hex_dump(body).splitlines()
