"""Names and texts that source code must survive."""

from __future__ import annotations

from typing import Any

import msgspec

from commscaffoldd.catalogue.making import HandlerFacts
from tests.catalogue.sample import facts

_FIELDS: list[Any] = [
    ("class_", int, msgspec.field(name="class")),
    ("a", int, msgspec.field(name="with space")),
    ("b", int, msgspec.field(name="__proto__")),
    ("c", int, msgspec.field(name="constructor")),
    ("d", int, msgspec.field(name="1st")),
    ("e", int, msgspec.field(name="quote's `")),
    ("str", str, ""),
    ("self", str, '\u2028*/ """ ${x} `\\'),
    ("same", int, 1),
    ("f", int, msgspec.field(name="same ", default=2)),
    ("g", int, msgspec.field(name="", default=3)),
]
Hostile: Any = msgspec.defstruct("Hostile", _FIELDS, kw_only=True, namespace={"__doc__": '*/ """ \\'})
Client: Any = msgspec.defstruct("Client", [("Final", int)])
Number: Any = msgspec.defstruct("number", [("value", int)])

HANDLERS: tuple[HandlerFacts, ...] = (
    facts(1, "class", Hostile, Hostile, doc='"""; import os */ ${evil} ` \\ \x00 \u2028'),
    facts(2, "delete", Client, Number, doc='ends with a quote"'),
    facts(3, "constructor", Client, Number, doc="ends with a backslash\\"),
    facts(4, "client", bytes, bytes),
    facts(5, "call", bytes, bytes),
    facts(6, "Call", bytes, bytes),
    facts(7, "close", bytes, bytes),
    facts(8, "<lambda>", bytes, bytes),
    facts(9, "_private", bytes, bytes),
)
