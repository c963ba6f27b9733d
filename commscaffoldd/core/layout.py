"""Header layouts: which fields a header has, their widths and byte order, and what the length counts.

A layout is written as a list of fields, `name:width` or `magic:width=value`, in the order in which they
cross the wire. From that list everything else follows: how a header is read, how one is written, and what
fits into it.
All presets of DESIGN.md are written the same way as a custom layout.
"""

from __future__ import annotations

import operator
import re
import struct
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from commscaffoldd.core.checksum import crc32

FIELD_NAMES: Final = ("length", "id", "sequence", "crc32", "magic", "skip")
REPEATABLE: Final = ("magic", "skip")
MAX_FIELDS: Final = 32
HEARTBEAT_ID: Final = 0

_FIELD = re.compile(r"(?P<name>[a-z0-9]+):u(?P<bits>8|16|24|32|64)(?:=(?P<value>0[xX][0-9a-fA-F]+|[0-9]+))?")
_CODES = {8: "B", 16: "H", 24: "3s", 32: "I", 64: "Q"}
_ALLOWED_FIELD = (
    "name:uBITS with name one of length, id, sequence, crc32, skip and BITS one of 8, 16, 24, 32, 64; "
    "or magic:uBITS=VALUE"
)


class LayoutSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`[layout.NAME]`: a custom header layout as it is configured.

    Attributes:
        fields: the header's fields in the order of the wire.
        byte_order: of all fields.
        length_counts: `body`, or `frame` for header and body together.
        length_adjustment: added to the length field's value before it is taken for what it counts.
    """

    fields: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_FIELDS)]
    byte_order: Literal["big", "little"] = "big"
    length_counts: Literal["body", "frame"] = "body"
    length_adjustment: Annotated[int, Meta(ge=-65536, le=65536)] = 0


class LayoutError(ValueError):
    """A layout that cannot be; the text says what is wrong and what is allowed."""


class Layout:
    """A header layout, ready to read and write headers. Immutable; any thread may use it.

    Attributes:
        name: as configured.
        spec: what it was made from.
        fields: the header's fields in the order of the wire.
        header_size: bytes.
        body_offset: what is added to the length field's value to get the size of the body.
        min_body, max_body: the smallest and the largest body, in bytes, that the length field can express.
        max_id: the largest message ID that fits.
        has_id, has_sequence, has_crc: whether the header has such a field.
        error_id, go_away_id: the daemon's own message IDs at the top of the range; `None` without an ID.
        unpack_from: reads a header: `unpack_from(buffer, offset)` gives the fields' values as a tuple.
        length_at, id_at, sequence_at, crc_at: where in that tuple; -1 if the header has no such field.
        cutting: all that cutting needs, in the order of `FrameReader`'s names: taken apart once for each read.
        magics: pairs of where in that tuple and what must stand there.
    """

    def __init__(self, name: str, spec: LayoutSpec) -> None:
        """Raises LayoutError, with what is allowed, if the specification cannot be."""
        self.name = name
        self.spec = spec
        fields = [_parse_field(text) for text in spec.fields]
        _check_fields(fields)
        self.fields = tuple(fields)
        self._read_shape(fields)
        self._prepare_codec(fields)
        self.cutting = (
            self.header_size,
            self.body_offset,
            self.unpack_from,
            self.length_at,
            self.magics,
            self.id_at,
            self.sequence_at,
            self.crc_at,
        )
        if self.max_body < 1:
            raise LayoutError(
                f"layout {name!r}: with length_adjustment {spec.length_adjustment} no body fits: "
                f"the largest length gives a body of {self.max_body} bytes"
            )

    @classmethod
    def from_spec(cls, name: str, spec: LayoutSpec) -> Layout:
        """A layout from its configuration. Raises LayoutError."""
        return cls(name, spec)

    def __repr__(self) -> str:
        """The name, and the header as configured."""
        return f"<Layout {self.name}: {' '.join(self.spec.fields)}>"

    @property
    def controls_by_default(self) -> bool:
        """Whether error replies and go away are sent without `[frame] control_ids = true`."""
        return self.has_id and self.has_sequence

    def encode(self, message_id: int, sequence: int, body: bytes) -> bytes:
        """One frame, header and body.

        Raises:
            ValueError: the message ID or the body does not fit into the header's fields.
        """
        size = len(body)
        length = size - self.body_offset
        try:
            header = self._pack(length, message_id, sequence, crc32(body) if self.has_crc else 0)
        except (struct.error, OverflowError):
            self.check_fits(message_id, size)
            raise ValueError(f"sequence {sequence} does not fit layout {self.name}") from None
        return header + body

    def check_fits(self, message_id: int, size: int) -> None:
        """Raise ValueError, saying why, if a message with this ID and size of body cannot be written."""
        if not self.min_body <= size <= self.max_body:
            raise ValueError(
                f"a body of {size} bytes does not fit layout {self.name}: {self.min_body} to {self.max_body}"
            )
        if self.has_id and not 0 <= message_id <= self.max_id:
            raise ValueError(f"message ID {message_id} does not fit layout {self.name}: 0 to {self.max_id}")

    def _read_shape(self, fields: list[HeaderField]) -> None:
        valued = [field for field in fields if field.name != "skip"]
        names = [field.name for field in valued]
        widths = {field.name: field.bits for field in valued}
        self.header_size = sum(field.bits for field in fields) // 8
        self.body_offset = self.spec.length_adjustment - (
            self.header_size if self.spec.length_counts == "frame" else 0
        )
        self.min_body = max(0, self.body_offset)
        self.max_body = (1 << widths["length"]) - 1 + self.body_offset
        self.length_at, self.id_at, self.sequence_at, self.crc_at = (
            names.index(name) if name in names else -1 for name in ("length", "id", "sequence", "crc32")
        )
        self.has_id = self.id_at >= 0
        self.has_sequence = self.sequence_at >= 0
        self.has_crc = self.crc_at >= 0
        self.max_id = (1 << widths.get("id", 64)) - 1
        self.error_id = self.max_id if self.has_id else None
        self.go_away_id = self.max_id - 1 if self.has_id else None
        self.magics = tuple((index, field.value) for index, field in enumerate(valued) if field.name == "magic")

    def _prepare_codec(self, fields: list[HeaderField]) -> None:
        order = self.spec.byte_order
        codes = (f"{field.bits // 8}x" if field.name == "skip" else _CODES[field.bits] for field in fields)
        codec = struct.Struct((">" if order == "big" else "<") + "".join(codes))
        valued = [field for field in fields if field.name != "skip"]
        # The values a header can hold, in one tuple: length, id, sequence, crc32, then the constants.
        constants = tuple(field.value for field in valued if field.name == "magic")
        sources = {"length": 0, "id": 1, "sequence": 2, "crc32": 3}
        magic_sources = iter(range(4, 4 + len(constants)))
        picks = [sources[f.name] if f.name in sources else next(magic_sources) for f in valued]
        wide = tuple(index for index, field in enumerate(valued) if field.bits == 24)  # noqa: PLR2004
        pick: Callable[[tuple[int, ...]], tuple[int, ...]]
        if len(picks) == 1:
            only = picks[0]
            pick = lambda values: (values[only],)  # noqa: E731  # itemgetter of one gives no tuple
        else:
            pick = operator.itemgetter(*picks)

        self.unpack_from: Callable[[bytes, int], tuple[Any, ...]]
        self._pack: Callable[[int, int, int, int], bytes]
        if not wide:
            self.unpack_from = codec.unpack_from
            if picks == [0, 1, 2, 3]:  # the preset `standard`, and what is like it
                self._pack = codec.pack
            else:
                self._pack = lambda *values: codec.pack(*pick(values + constants))
            return

        # struct has no three-byte integer: those are read and written as bytes.
        def unpack_from(buffer: bytes, offset: int) -> tuple[Any, ...]:
            values = list(codec.unpack_from(buffer, offset))
            for index in wide:
                values[index] = int.from_bytes(values[index], order)
            return tuple(values)

        def pack(*values: int) -> bytes:
            ready: list[int | bytes] = list(pick(values + constants))
            for index in wide:
                ready[index] = int(ready[index]).to_bytes(3, order)
            return codec.pack(*ready)

        self.unpack_from = unpack_from
        self._pack = pack


class HeaderField(Struct, frozen=True):
    """One field of a header.

    Attributes:
        name: what it means; one of `FIELD_NAMES`.
        bits: its width.
        value: what stands there, for `magic`.
    """

    name: str
    bits: int
    value: int


def _parse_field(text: str) -> HeaderField:
    found = _FIELD.fullmatch(text)
    if found is None or found["name"] not in FIELD_NAMES:
        raise LayoutError(f"{text!r} is not a field; allowed: {_ALLOWED_FIELD}")
    name, bits = found["name"], int(found["bits"])
    if (name == "magic") != (found["value"] is not None):
        raise LayoutError(f"{text!r}: a magic field has a value, and no other field has; allowed: {_ALLOWED_FIELD}")
    value = int(found["value"] or "0", 0)
    if value >= 1 << bits:
        raise LayoutError(f"{text!r}: {value:#x} does not fit {bits} bits")
    if name == "crc32" and bits != 32:  # noqa: PLR2004
        raise LayoutError(f"{text!r}: a CRC-32 is crc32:u32")
    return HeaderField(name, bits, value)


def _check_fields(fields: list[HeaderField]) -> None:
    if len(fields) > MAX_FIELDS:
        raise LayoutError(f"{len(fields)} fields; allowed: at most {MAX_FIELDS}")
    names = [field.name for field in fields]
    if "length" not in names:
        raise LayoutError("no length field; a layout has exactly one")
    for name in FIELD_NAMES:
        if name not in REPEATABLE and names.count(name) > 1:
            raise LayoutError(f"{names.count(name)} {name} fields; allowed: one")


PRESETS: Final[dict[str, Layout]] = {
    name: Layout(name, spec)
    for name, spec in {
        "standard": LayoutSpec(fields=("length:u32", "id:u32", "sequence:u32", "crc32:u32")),
        "compact": LayoutSpec(fields=("length:u16", "id:u16", "crc32:u32"), length_counts="frame"),
        "zinx": LayoutSpec(fields=("id:u32", "length:u32")),
        "zinx-ltv": LayoutSpec(fields=("length:u32", "id:u32"), byte_order="little"),
        "workerman": LayoutSpec(fields=("length:u32",), length_counts="frame"),
        "erlang": LayoutSpec(fields=("length:u32",)),
    }.items()
}
