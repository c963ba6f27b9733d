"""What one generated client speaks: a listener, its layout, and the messages that fit it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.model import Catalogue, HeaderLayout, Listener, Message
from commscaffoldd.catalogue.naming import unique


class NoListener(ValueError):  # noqa: N818  # it names what is missing
    """There is no such listener; the text says which there are."""


class Choice(Struct, frozen=True):
    """A listener of a catalogue, and what goes with it.

    Attributes:
        catalogue: all of it.
        listener: whose clients these are.
        layout: the listener's.
        messages: those whose IDs fit the layout.
        types: those that their bodies and replies refer to, directly or not.
    """

    catalogue: Catalogue
    listener: Listener
    layout: HeaderLayout
    messages: tuple[Message, ...]
    types: tuple[wire.NamedType, ...]


def choose(catalogue: Catalogue, address: str | None = None) -> Choice:
    """The listener at an address, or the first one.

    Raises:
        NoListener: there is none at that address.
    """
    for listener in catalogue.listeners:
        if address in {None, listener.address}:
            layout = catalogue.layout(listener.layout)
            messages = _fitting(catalogue, listener, layout)
            return Choice(catalogue, listener, layout, messages, _types(catalogue, messages))
    there = ", ".join(one.address for one in catalogue.listeners)
    raise NoListener(f"there is no listener {address}; there are: {there}")


def method_names(messages: tuple[Message, ...], style: Callable[[str], str], taken: frozenset[str]) -> list[str]:
    """A method name for each message; where two would have the same, both get their plugins, or else message IDs."""
    plugins: dict[str, set[str]] = {}
    for one in messages:
        plugins.setdefault(style(one.name), set()).add(one.plugin)
    shared = {name for name, owners in plugins.items() if len(owners) > 1}
    named = [style(f"{one.plugin}_{one.name}" if style(one.name) in shared else one.name) for one in messages]
    return unique([(name, str(one.id)) for name, one in zip(named, messages, strict=True)], taken)


def _fitting(catalogue: Catalogue, listener: Listener, layout: HeaderLayout) -> tuple[Message, ...]:
    field = layout.field("id")
    if field is None:  # all that is sent there is one message
        return tuple(one for one in catalogue.messages if one.id == listener.default_id)
    return tuple(one for one in catalogue.messages if one.id < 1 << field.bits)


def _types(catalogue: Catalogue, messages: Iterable[Message]) -> tuple[wire.NamedType, ...]:
    bodies = [body for one in messages for body in (one.body, one.reply)]
    waiting = [body.type for body in bodies if body is not None and body.type is not None]
    named = {one.name: one for one in catalogue.types}
    used: set[str] = set()
    while waiting:
        type_ = waiting.pop()
        if isinstance(type_, wire.Reference) and type_.name not in used:
            used.add(type_.name)
            found = named[type_.name]
            if isinstance(found, wire.Record):
                waiting.extend(field.type for field in found.fields)
        waiting.extend(_inside(type_))
    return tuple(one for one in catalogue.types if one.name in used)


def _inside(type_: wire.Type) -> tuple[wire.Type, ...]:
    match type_:
        case wire.Union(options=inside) | wire.Tuple(items=inside):
            return inside
        case wire.Array(item=item):
            return (item,)
        case wire.Map(key=key, value=value):
            return (key, value)
    return ()
