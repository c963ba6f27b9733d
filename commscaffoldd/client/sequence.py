"""The sequence field of a header layout: where it stands, and which number comes next."""

from __future__ import annotations

from typing import NamedTuple

from commscaffoldd.core.layout import Layout


class SequenceField(NamedTuple):
    """Where the sequence stands in a header, in bytes."""

    offset: int
    size: int

    @property
    def largest(self) -> int:
        """The largest sequence that fits."""
        return (1 << 8 * self.size) - 1

    def after(self, sequence: int) -> int:
        """The next sequence. Never 0: that is a push."""
        return sequence % self.largest + 1


def sequence_field(layout: Layout) -> SequenceField | None:
    """The sequence field of this layout, if it has one."""
    offset = 0
    for field in layout.spec.fields:
        name, _, width = field.partition(":u")
        size = int(width.partition("=")[0]) // 8
        if name == "sequence":
            return SequenceField(offset, size)
        offset += size
    return None
