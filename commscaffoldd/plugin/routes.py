"""From handlers to the table of message IDs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence

from commscaffoldd.core.route import Route
from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.hooks import parameters, unsupported_kind
from commscaffoldd.plugin.scan import Marked


def check_handler(plugin: str, marked: Marked) -> PluginError | None:
    """What is wrong with a function as a handler."""
    ids = ", ".join(str(mark.id) for mark in marked.handlers)
    if kind := unsupported_kind(marked.function):
        return PluginError(
            plugin,
            f"handler {marked.qualname} of message ID {ids} is {kind}, which is not supported (yet): use a "
            "plain def that returns bytes or None",
            marked.file,
            marked.line,
        )
    try:
        signature = inspect.signature(marked.function)
    except ValueError:  # written in C, without a signature to look at
        return None
    try:
        signature.bind(None)
    except TypeError:
        return PluginError(
            plugin,
            f"handler {marked.qualname}{parameters(signature)} of message ID {ids} must take one argument, "
            "the request",
            marked.file,
            marked.line,
        )
    return None


def build_routes(
    handlers: Mapping[str, Sequence[Marked]],
) -> tuple[dict[int, Route], list[PluginError]]:
    """The routes by message ID, and one error for each ID that more than one handler claims.

    Args:
        handlers: the handlers of each plugin, by its name.
    """
    claims: dict[int, list[tuple[Route, Marked]]] = {}
    for plugin, functions in handlers.items():
        for marked in functions:
            for mark in marked.handlers:
                route = Route(
                    mark.id, marked.function, plugin, marked.qualname, mark.mode, mark.timeout, open=mark.open
                )
                claims.setdefault(mark.id, []).append((route, marked))
    routes = {message_id: claimants[0][0] for message_id, claimants in sorted(claims.items())}
    errors = [_conflict(claimants) for claimants in claims.values() if len(claimants) > 1]
    return routes, errors


def _conflict(claimants: Iterable[tuple[Route, Marked]]) -> PluginError:
    (first, _), *others = claimants = list(claimants)
    route, marked = others[-1]
    named = " and ".join(f"{r.name} of plugin {r.plugin} ({m.place})" for r, m in claimants)
    return PluginError(
        route.plugin,
        f"message ID {first.id} is claimed by {named}; an ID has one handler: change an ID, or disable a plugin",
        marked.file,
        marked.line,
    )
