"""Opening the blocking client's first links, all or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from commscaffoldd.client.errors import ConnectionClosed
from commscaffoldd.client.link import Link


def open_all(open_one: Callable[[int], Link], places: Iterable[int]) -> list[Link]:
    """A link for each place. Raises what `open_one` raises; those before it are closed then."""
    links: list[Link] = []
    try:
        for place in places:
            links.append(open_one(place))  # noqa: PERF401  # those before one that fails must be closed
    except BaseException:
        discard(links, "another connection could not be had")
        raise
    return links


def discard(links: Iterable[Link], why: str) -> None:
    """Close links that no thread runs."""
    for link in links:
        link.end(ConnectionClosed(why))
        link.run()  # it closes what it has
