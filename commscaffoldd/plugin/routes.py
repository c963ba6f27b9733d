"""From handlers to the table of message IDs."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

from commscaffoldd.core.login import behind_login
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.plugin.arguments import missing
from commscaffoldd.plugin.binding import bind
from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.handlers import Handler, handler_error
from commscaffoldd.plugin.injection import Injected
from commscaffoldd.plugin.layers import Layer
from commscaffoldd.plugin.middleware import Middleware, applying_to, as_async_layer, as_layer
from commscaffoldd.plugin.wiring import Wiring


def build_routes(
    handlers: Mapping[str, Sequence[Handler]], wiring: Wiring
) -> tuple[dict[int, Route], list[PluginError]]:
    """The routes by message ID, and the errors: handlers that want what is not there, and IDs that several claim.

    Args:
        handlers: the handlers of each plugin, by its name.
        wiring: what they can be given by type, and the middleware around them.
    """
    errors: list[PluginError] = []
    claims: dict[int, list[tuple[Route, Handler]]] = {}
    gated = any(handler.mark.open for functions in handlers.values() for handler in functions)
    for plugin, functions in handlers.items():
        injected = wiring.state.injected(plugin)
        middlewares = applying_to(plugin, wiring.middlewares)
        wrong: dict[tuple[int, str], list[Handler]] = {}  # by function and reason: said once, with all its IDs
        for handler in functions:
            reasons = missing(handler.signature, injected, functools.partial(wiring.state.clash, plugin))
            for reason in reasons:
                wrong.setdefault((id(handler.marked), reason), []).append(handler)
            gate = behind_login if gated and not handler.mark.open else None
            route = _route(plugin, handler, {} if reasons else injected, middlewares, gate)
            claims.setdefault(handler.mark.id, []).append((route, handler))
        errors += [
            handler_error(plugin, same[0].marked, [handler.mark for handler in same], reason)
            for (_, reason), same in wrong.items()
        ]
    routes = {message_id: claimants[0][0] for message_id, claimants in sorted(claims.items())}
    errors += [_conflict(claimants) for claimants in claims.values() if len(claimants) > 1]
    return routes, errors


def _route(
    plugin: str, handler: Handler, injected: Injected, middlewares: Iterable[Middleware], gate: Layer | None
) -> Route:
    mark, marked = handler.mark, handler.marked
    as_one = as_async_layer if handler.signature.is_async else as_layer
    function = bind(marked.function, handler.signature, injected, [as_one(one) for one in middlewares], gate)
    route = Route(mark.id, function, plugin, marked.qualname, _mode(handler), mark.timeout, open=mark.open)
    route.cancel_on_close = mark.cancel_on_close
    return route


def _mode(handler: Handler) -> Mode:
    if not handler.signature.is_async:
        return handler.mark.mode
    return "async concurrent" if handler.mark.mode == "concurrent" else "async"


def _conflict(claimants: Iterable[tuple[Route, Handler]]) -> PluginError:
    (first, _), *others = claimants = list(claimants)
    route, handler = others[-1]
    named = " and ".join(f"{r.name} of plugin {r.plugin} ({h.marked.place})" for r, h in claimants)
    return PluginError(
        route.plugin,
        f"message ID {first.id} is claimed by {named}; an ID has one handler: change an ID, or disable a plugin",
        handler.marked.file,
        handler.marked.line,
    )
