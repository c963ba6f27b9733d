"""Text from anywhere, made fit for one line of the log."""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT: Final = 32768  # characters of one line; a record must not be as long as a client likes

# What could end a line, move a terminal's cursor or turn the reading direction: C0 and C1 controls, line and
# paragraph separators, bidirectional overrides; and lone surrogates, which cannot be encoded.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str) -> str:
    """The text on one line, control characters as Python writes them; too long a text is cut and says so."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} characters more)"
    return _UNFIT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}")  # noqa: PLR2004  # a byte
