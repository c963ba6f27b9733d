"""The catalogue's parts: listeners, header layouts, messages, error codes. Frozen, and JSON in and out."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct, field

from commscaffoldd.catalogue.wire_types import NamedType, Type

VERSION: Final = 1
"""Of the JSON form; grows when a reader of the old one would misunderstand the new one."""


class CatalogueError(ValueError):
    """What was read is no catalogue, or one of another version; the text says which."""


class HeaderField(Struct, frozen=True, omit_defaults=True):
    """A field of a header.

    Attributes:
        name: `length`, `id`, `sequence`, `crc32`, `magic` or `skip`.
        offset: in bytes, from the frame's beginning.
        bits: its width.
        value: the constant that stands there, for `magic`.
    """

    name: str
    offset: int
    bits: int
    value: int | None = None


class HeaderLayout(Struct, frozen=True):
    """A header layout. The body has `length + body_offset` bytes.

    Attributes:
        name: as configured.
        fields: in the order of the wire.
        byte_order: `big` or `little`.
        length_counts: `body` or `frame`.
        length_adjustment: added to the length field's value before it is taken for what it counts.
        header_size: bytes.
        body_offset: what is added to the length field's value to get the size of the body.
        min_body, max_body: what the length field can express.
    """

    name: str
    fields: tuple[HeaderField, ...]
    byte_order: str
    length_counts: str
    length_adjustment: int
    header_size: int
    body_offset: int
    min_body: int
    max_body: int

    def field(self, name: str) -> HeaderField | None:
        """The first field of this name, if there is one."""
        return next((one for one in self.fields if one.name == name), None)


class Listener(Struct, frozen=True, omit_defaults=True):
    """An address, and what is spoken there.

    Attributes:
        address: as configured.
        layout: the name of the header layout.
        default_id: the message ID of all frames where the layout has none.
        error_id, go_away_id: the daemon's own message IDs; `None` where it sends none.
    """

    address: str
    layout: str
    default_id: int = 1
    error_id: int | None = None
    go_away_id: int | None = None


class Body(Struct, frozen=True, omit_defaults=True):
    """What a request or a reply carries.

    Attributes:
        format: `msgpack`, `json`, `str`, `bytes`, `protobuf`, or a custom codec's name.
        type: what is in it; `None` where no more than the format is known.
        name: the type as the plugin's source calls it.
    """

    format: str
    type: Type | None = None
    name: str = ""


class Message(Struct, frozen=True, omit_defaults=True):
    """A message that a client can send.

    Attributes:
        id: the message ID.
        name: the handler's name, without class or module.
        plugin: the plugin's name.
        doc: the handler's docstring, cleaned.
        mode: `pool`, `concurrent`, `inline`, `async` or `async concurrent`.
        timeout: seconds that the handler may take; 0: no limit.
        body: what to send.
        reply: what comes back; `None`: nothing ever does.
        may_be_silent: there may be no reply even so.
        stream: any number of replies comes, not one.
        open: it may be sent before the connection is authenticated.
    """

    id: int
    name: str
    plugin: str
    mode: str
    timeout: float
    body: Body
    reply: Body | None = None
    doc: str = ""
    may_be_silent: bool = False
    stream: bool = False
    open: bool = False


class ErrorCode(Struct, frozen=True):
    """A code of error replies."""

    code: int
    name: str
    meaning: str


class Limits(Struct, frozen=True, omit_defaults=True):
    """What the daemon expects of its clients. `None`: it does not look at that.

    Attributes:
        max_body: the largest body of a request, in bytes.
        frame_timeout: seconds from a frame's first byte to its last.
        heartbeat_interval: seconds after which a client should have sent something.
        silence: seconds without a frame after which a client is disconnected.
        flood_rate, flood_burst: messages a second, and at once, above which a client is disconnected.
    """

    max_body: int
    frame_timeout: float
    heartbeat_interval: float | None = None
    silence: float | None = None
    flood_rate: float | None = None
    flood_burst: int | None = None


class Catalogue(Struct, frozen=True, kw_only=True):
    """What clients can say to a daemon.

    Attributes:
        version: of this form, see `VERSION`.
        title: of a page about it.
        daemon_version: commscaffoldd's.
        listeners: in the order of the configuration.
        layouts: those that listeners speak, each once.
        messages: by ID.
        errors: the daemon's own codes.
        types: what bodies refer to by name.
        schemas: the same as JSON schema, as the value of `$defs`.
    """

    version: int = VERSION
    title: str = "Protocol"
    daemon_version: str = ""
    listeners: tuple[Listener, ...] = ()
    layouts: tuple[HeaderLayout, ...] = ()
    messages: tuple[Message, ...] = ()
    errors: tuple[ErrorCode, ...] = ()
    limits: Limits
    types: tuple[NamedType, ...] = ()
    schemas: dict[str, Any] = field(default_factory=dict)

    def layout(self, name: str) -> HeaderLayout:
        """The layout of this name. Raises KeyError."""
        for layout in self.layouts:
            if layout.name == name:
                return layout
        raise KeyError(name)

    def type_named(self, name: str) -> NamedType:
        """What a `Reference` refers to. Raises KeyError."""
        for one in self.types:
            if one.name == name:
                return one
        raise KeyError(name)

    def to_builtins(self) -> dict[str, Any]:
        """As dicts, lists and scalars, ready for JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @classmethod
    def from_builtins(cls, content: object) -> Catalogue:
        """What `to_builtins` made, also after JSON.

        Raises:
            CatalogueError: it is something else.
        """
        found = content.get("version") if isinstance(content, dict) else None
        if found != VERSION:
            raise CatalogueError(f"a catalogue of version {found!r} cannot be read; this program reads {VERSION}")
        try:
            return msgspec.convert(content, cls)
        except msgspec.ValidationError as error:
            raise CatalogueError(f"not a catalogue: {error}") from None
