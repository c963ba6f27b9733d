"""What a client can be told. `Client` and `AsyncClient` take the same."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, TypedDict

import msgspec

from commscaffoldd.client.backoff import Reconnect
from commscaffoldd.client.conversation import Conversation, Push
from commscaffoldd.client.frame_client import MAX_BODY
from commscaffoldd.client.sequence import sequence_field
from commscaffoldd.codecs import Format
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec

if TYPE_CHECKING:  # they are made with settings
    from commscaffoldd.client.async_caller import AsyncCaller
    from commscaffoldd.client.caller import Caller

MAX_CONNECTIONS: Final = 1000
MAX_IN_FLIGHT: Final = 1_000_000
LONGEST: Final = 1e8
"""Seconds; more, or for ever, the system's clocks do not take."""
_RECONNECT: Final = Reconnect()

AnyLayout: TypeAlias = "str | Layout | LayoutSpec | Mapping[str, object] | Sequence[str]"
State: TypeAlias = Literal["connected", "leaving", "lost", "waiting", "failed", "closed"]


class StateChange(NamedTuple):
    """What has become of one of a client's connections.

    Attributes:
        state: `connected`; `leaving`: the daemon said *go away*, and another connection takes its place; `lost`: it
            has ended; `waiting`: for the next attempt to connect; `failed`: there will be no attempt any more;
            `closed`: by the program.
        place: which of the client's connections, counted from 0.
        reason: why; empty for `connected` and `closed`.
        delay: seconds until the next attempt, for `waiting`.
    """

    state: State
    place: int
    reason: str = ""
    delay: float = 0.0


class CommonOptions(TypedDict, total=False):
    """What the constructors of both clients take by name; `Settings` says what each one means."""

    timeout: float
    connect_timeout: float | None
    connections: int
    tls: bool | ssl.SSLContext
    server_hostname: str | None
    heartbeat: float | None
    reconnect: Reconnect | None
    on_push: Callable[[Push], object] | None
    on_state: Callable[[StateChange], object] | None
    push_queue: int
    max_in_flight: int
    max_body: int
    default_id: int


class Options(CommonOptions, total=False):
    """What `Client` takes by name."""

    on_connect: Callable[[Caller], object] | None


class AsyncOptions(CommonOptions, total=False):
    """What `AsyncClient` takes by name."""

    on_connect: Callable[[AsyncCaller], Awaitable[object]] | None


class CallOptions(TypedDict, total=False):
    """What `call` takes by name, `reply` apart."""

    format: Format | None
    timeout: float | None
    retry: bool


class StreamOptions(TypedDict, total=False):
    """What `stream` takes by name, `reply` apart."""

    format: Format | None
    count: int | None
    until: Callable[[Any], bool] | None
    quiet: float | None
    timeout: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that a client is told. Times are seconds, sizes bytes.

    Attributes:
        address: where the daemon listens.
        layout: the header layout of the listener there.
        timeout: for a call and for sending a message, each as a whole, waiting for a connection included.
        connect_timeout: for one attempt to connect, TLS included; `None`: as `timeout`.
        connections: so many; a message goes where the fewest calls are in flight.
        tls: whether to speak TLS, and with which context; `True` is Python's default one, which verifies.
        server_hostname: whose certificate it must be; `None`: the address's host.
        heartbeat: seconds of silence in one direction after which a heartbeat is sent, and within which it must be
            answered; `None`: none are sent. Layouts without an ID have none.
        reconnect: how to connect anew after a connection has ended; `None`: not at all.
        on_connect: called for each new connection, before it takes other calls, with what calls there: to log in.
            For the asyncio client a coroutine function. It may take as long as connecting may.
        on_push: called with each push, by the client's own thread or loop: it must be quick.
        on_state: called with each `StateChange`, in the same way.
        push_queue: so many pushes wait for `pushes` and `next_push`; of more, the oldest is dropped and counted.
        max_in_flight: so many calls at once; more wait. Fewer where the layout's sequence is narrow:
            `most_in_flight`.
        max_body: the largest body that is accepted.
        default_id: the message ID of what comes, where the layout has none.
    """

    address: Address
    layout: Layout
    timeout: float = 5.0
    connect_timeout: float | None = None
    connections: int = 1
    tls: bool | ssl.SSLContext = False
    server_hostname: str | None = None
    heartbeat: float | None = 20.0
    reconnect: Reconnect | None = _RECONNECT
    on_connect: Callable[[Any], object] | None = None
    on_push: Callable[[Push], object] | None = None
    on_state: Callable[[StateChange], object] | None = None
    push_queue: int = 1000
    max_in_flight: int = 1000
    max_body: int = MAX_BODY
    default_id: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        for name in ("timeout", "connect_timeout", "heartbeat"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds <= LONGEST:
                raise ValueError(f"{name} = {seconds:g}; allowed: more than 0 seconds, at most {LONGEST:g}")
        for name in ("push_queue", "max_in_flight", "max_body"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; allowed: 1 and more")
        if self.max_in_flight > MAX_IN_FLIGHT:
            raise ValueError(f"max_in_flight = {self.max_in_flight}; allowed: 1 to {MAX_IN_FLIGHT}")
        if not 1 <= self.connections <= MAX_CONNECTIONS:
            raise ValueError(f"connections = {self.connections}; allowed: 1 to {MAX_CONNECTIONS}")
        if self.server_hostname is not None and not self.tls:
            raise ValueError("server_hostname is for TLS; allowed: with tls=True or an ssl.SSLContext")

    @property
    def seconds_to_connect(self) -> float:
        """What one attempt to connect may take."""
        return self.timeout if self.connect_timeout is None else self.connect_timeout

    def check_streams(self) -> None:
        """Raise ValueError if the layout has no sequence by which a stream's replies could be told."""
        if not self.layout.has_sequence:
            raise ValueError(f"layout {self.layout.name} has no sequence: streams need one")

    def seconds(self, timeout: float | None) -> float:
        """What a call or message may take that has said this."""
        return self.timeout if timeout is None else min(timeout, LONGEST)

    @property
    def most_in_flight(self) -> int:
        """So many calls at once, by `max_in_flight` and by the layout.

        Of the sequences that a layout has, half may be those of calls that were given up: the rest is for these.
        """
        field = sequence_field(self.layout)
        return self.max_in_flight if field is None else min(self.max_in_flight, field.largest - field.largest // 2)

    @property
    def peer_name(self) -> str | None:
        """Whose certificate it must be; `None`: nobody says."""
        return self.server_hostname or self.address.host or None

    def tls_context(self) -> ssl.SSLContext | None:
        """The context to speak TLS with; `None`: without TLS. Reads the system's certificates: once for a client."""
        if isinstance(self.tls, ssl.SSLContext):
            return self.tls
        return ssl.create_default_context() if self.tls else None

    def conversation(self, now: float) -> Conversation:
        """A conversation on a new connection."""
        return Conversation(
            self.layout,
            str(self.address),
            now,
            max_body=self.max_body,
            default_id=self.default_id,
            heartbeat=self.heartbeat,
        )


def read_layout(layout: AnyLayout) -> Layout:
    """The layout that is meant: by a preset's name, or as `[layout.NAME]` has it: a table, or its `fields` alone.

    Raises ValueError, with what is allowed.
    """
    if isinstance(layout, Layout):
        return layout
    if isinstance(layout, str):
        if layout not in PRESETS:
            raise ValueError(f"there is no layout {layout!r}; allowed: {', '.join(PRESETS)}, or fields of your own")
        return PRESETS[layout]
    if isinstance(layout, LayoutSpec):
        return Layout("custom", layout)
    table = layout if isinstance(layout, Mapping) else {"fields": layout}
    try:
        return Layout("custom", msgspec.convert(table, LayoutSpec))
    except msgspec.ValidationError as error:
        raise ValueError(f"not a layout: {error}") from None
