"""What the fuzz target's inputs choose from, and those it begins with: `python -m fuzz.inputs` writes the corpus."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec

CORPUS: Final = Path(__file__).parent / "corpus"
DEFAULT_ID: Final = 77

# Numbers in inputs are places in here: new ones go to the end.
LAYOUTS: Final[dict[str, Layout]] = {
    **PRESETS,
    **{
        name: Layout.from_spec(name, spec)
        for name, spec in {
            "bytes": LayoutSpec(("length:u8", "id:u8", "sequence:u8")),
            "wide": LayoutSpec(("length:u64", "id:u64", "sequence:u64", "crc32:u32")),
            "wide-little": LayoutSpec(("sequence:u64", "id:u64", "length:u64", "crc32:u32"), "little", "frame"),
            "three": LayoutSpec(("length:u24", "id:u24", "sequence:u24", "magic:u24=0x123456")),
            "three-little": LayoutSpec(("magic:u24=0x123456", "sequence:u24", "id:u24", "length:u24"), "little"),
            "magic": LayoutSpec(("magic:u16=0xCAFE", "length:u16", "skip:u8", "id:u8", "magic:u8=0x55")),
            "magic-wide": LayoutSpec(
                ("magic:u64=0x0123456789ABCDEF", "length:u32", "magic:u32=0xDEADBEEF"), "little"
            ),
            "skips": LayoutSpec(("skip:u64", "length:u16", "skip:u24", "crc32:u32", "skip:u8"), "little"),
            "counts-more": LayoutSpec(("length:u16", "id:u16"), "big", "frame", -5),
            "counts-less": LayoutSpec(("length:u32", "id:u16", "crc32:u32"), "little", "body", 9),
            "no-small-bodies": LayoutSpec(("length:u8", "id:u8", "sequence:u8"), length_adjustment=40),
            "few-bodies": LayoutSpec(("length:u8", "id:u8"), length_adjustment=-240),
            "all-fields": LayoutSpec(("length:u32", *(f"magic:u8={value}" for value in range(31)))),
        }.items()
    },
}


def make_input(
    layout: str,
    stream: bytes,
    *,
    sizes: tuple[int, ...] = (),
    drop: bool = False,
    largest: int = 1,
) -> bytes:
    """An input of the target. `sizes` are those of the first pieces, `largest` is the number of a `max_body`."""
    options = drop | 2 | largest << 2
    head = bytes((list(LAYOUTS).index(layout), options, len(sizes)))
    return head + struct.pack(f"<{len(sizes)}H", *sizes) + stream


def first_inputs() -> Iterator[tuple[str, bytes]]:
    """Names and inputs: good frames of each layout in pieces, and each fault."""
    for name, layout in LAYOUTS.items():
        size = max(5, layout.min_body)
        good = layout.encode(1, 2 * layout.has_sequence, bytes(range(size)))
        bad = good[:-1] + bytes((good[-1] ^ 1,))
        yield f"{name}-good", make_input(name, good * 3, sizes=(1, 7, 30))
        yield f"{name}-begun", make_input(name, good + good[:-1], sizes=(len(good), layout.header_size - 1))
        if layout.has_crc:
            yield f"{name}-bad-checksum", make_input(name, good + bad + good, sizes=(len(good) + 3,))
            yield f"{name}-dropped", make_input(name, good + bad * 2 + good, sizes=(9, 9), drop=True)
        if layout.magics:
            yield f"{name}-bad-magic", make_input(name, good + bytes(layout.header_size) * 2, sizes=(2, 2))
        yield f"{name}-too-large", make_input(name, good + b"\xff" * layout.header_size + good, largest=0)
    standard = LAYOUTS["standard"]
    many = b"".join(standard.encode(number, number, b"") for number in range(300))
    yield "standard-many", make_input("standard", many, sizes=(4000,))
    yield "standard-long", make_input("standard", standard.encode(1, 1, bytes(6000)), sizes=(100, 5000), largest=3)
    yield "compact-below-header", make_input("compact", bytes.fromhex("0007000500000000"))
    yield "standard-nothing", make_input("standard", b"")


def main() -> None:
    """Write the inputs to begin with."""
    CORPUS.mkdir(exist_ok=True)
    for name, data in first_inputs():
        (CORPUS / name).write_bytes(data)


if __name__ == "__main__":
    main()
