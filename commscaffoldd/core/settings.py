"""What the core can be told: the sections of the configuration that concern a worker's inside.

They stand here, below `commscaffoldd.config`, so that the core needs nobody above it; the configuration
schema takes them over as they are. Bounds in `Meta` are both the check and the text of the error message.
All times are seconds, all sizes bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0, le=86400 * 365)]
NotNegative = Annotated[float, Meta(ge=0, le=86400 * 365)]


class FrameSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[frame]`: what a frame may be, and what happens to one that is wrong."""

    max_body: Annotated[int, Meta(ge=1, le=1 << 30)] = 1048576
    timeout: Positive = 10.0
    on_bad_checksum: Literal["close", "drop"] = "close"
    on_unknown_id: Literal["drop", "close"] = "drop"
    control_ids: bool = False


class ConnectionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[connections]`: how many, how much may wait for one, and when a slot is used again."""

    max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10000
    initial: Annotated[int, Meta(ge=0, le=1_000_000)] = 256
    recycle_delay: NotNegative = 60.0
    send_buffer: Annotated[int, Meta(ge=1024, le=1 << 30)] = 1048576
    slow_reader_timeout: Positive = 30.0


class BusinessSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[business]`: the threads that run handlers, and how many messages may wait for them."""

    threads: Annotated[int, Meta(ge=1, le=1024)] = 4
    queue: Annotated[int, Meta(ge=1, le=10_000_000)] = 10000
    per_connection: Annotated[int, Meta(ge=1, le=10_000_000)] = 1000
    handler_timeout: NotNegative = 30.0
    switch_interval: Annotated[float, Meta(ge=0.000001, le=1)] = 0.00005


class QuarantineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[quarantine]`: when a message ID's handler is left alone, and for how long."""

    enabled: bool = True
    failures: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 20
    timeouts: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 3
    first: Positive = 1.0
    longest: Positive = 300.0


class HeartbeatSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[heartbeat]`: a peer silent for `interval * misses` is closed."""

    enabled: bool = True
    interval: Positive = 20.0
    misses: Annotated[int, Meta(ge=1, le=1000)] = 3


class LoginSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[login]`: how long a connection may take to log in, where plugins ask for that; 0: for ever."""

    timeout: NotNegative = 10.0


class FloodSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[flood]`: messages a second and connection, and how many may come at once."""

    enabled: bool = True
    rate: Annotated[float, Meta(gt=0, le=1e9)] = 2000
    burst: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 4000
