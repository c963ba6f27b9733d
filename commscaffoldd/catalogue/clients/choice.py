"""What one generated client speaks: a listener, its layout, and the messages that fit it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

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
    """

    catalogue: Catalogue
    listener: Listener
    layout: HeaderLayout
    messages: tuple[Message, ...]


def choose(catalogue: Catalogue, address: str | None = None) -> Choice:
    """The listener at an address, or the first one.

    Raises:
        NoListener: there is none at that address.
    """
    for listener in catalogue.listeners:
        if address in {None, listener.address}:
            layout = catalogue.layout(listener.layout)
            return Choice(catalogue, listener, layout, _fitting(catalogue, listener, layout))
    there = ", ".join(one.address for one in catalogue.listeners)
    raise NoListener(f"there is no listener {address}; there are: {there}")


def method_names(messages: tuple[Message, ...], style: Callable[[str], str], taken: frozenset[str]) -> list[str]:
    """A method name for each message; where two would have the same, both get their message IDs."""
    return unique([(style(one.name), str(one.id)) for one in messages], taken)


def _fitting(catalogue: Catalogue, listener: Listener, layout: HeaderLayout) -> tuple[Message, ...]:
    field = layout.field("id")
    if field is None:  # all that is sent there is one message
        return tuple(one for one in catalogue.messages if one.id == listener.default_id)
    return tuple(one for one in catalogue.messages if one.id < 1 << field.bits)
