"""What a load does: where, what, and how much of it."""

from __future__ import annotations

import dataclasses
from typing import Final

from commscaffoldd.client.sequence import sequence_field
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import Layout

MAX_UNDER_WAY: Final = 1 << 30
"""Bytes of requests that all connections together may have in flight."""


@dataclasses.dataclass(frozen=True, slots=True)
class LoadPlan:
    """A closed loop: each connection has `in_flight` requests under way, and sends the next for each reply.

    Attributes:
        address, layout: where, and what is spoken there.
        message_id: of requests; 0 for heartbeats.
        reply_id: of their replies.
        body: of each request.
        connections, in_flight: how many, and how many requests each has under way.
        any_order: whether replies may overtake each other; only with a layout that has a sequence.
        warm_up, duration: seconds of load that are not measured, and those that are.
        timeout: seconds that a reply may take; then its connection has failed.
    """

    address: Address
    layout: Layout
    message_id: int = 1
    reply_id: int = 1
    body: bytes = bytes(64)
    connections: int = 50
    in_flight: int = 1
    any_order: bool = False
    warm_up: float = 0.5
    duration: float = 5.0
    timeout: float = 5.0

    def check(self) -> None:
        """Raise ValueError, saying why, if this cannot be done with the layout."""
        layout = self.layout
        layout.check_fits(self.message_id, len(self.body))
        layout.check_fits(self.reply_id, layout.min_body)
        if self.any_order and not layout.has_sequence:
            raise ValueError(f"layout {layout.name} has no sequence, so replies in any order cannot be told apart")
        field = sequence_field(layout)
        if field is not None and self.in_flight > field.largest:
            raise ValueError(
                f"{self.in_flight} messages in flight, but layout {layout.name} has only {field.largest} sequences"
            )
        under_way = self.connections * self.in_flight * (layout.header_size + len(self.body))
        if under_way > MAX_UNDER_WAY:
            raise ValueError(
                f"{self.connections} connections with {self.in_flight} messages of {len(self.body)} bytes in flight "
                f"are {under_way >> 20} MiB; at most {MAX_UNDER_WAY >> 20} MiB"
            )
