"""From handlers to the table of message IDs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from commscaffoldd.core.route import Mode, Route
from commscaffoldd.plugin.binding import bind, missing
from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.handlers import Handler, handler_error
from commscaffoldd.plugin.injection import Injected


def build_routes(
    handlers: Mapping[str, Sequence[Handler]], injected: Mapping[str, Injected]
) -> tuple[dict[int, Route], list[PluginError]]:
    """The routes by message ID, and the errors: handlers that want what is not there, and IDs that several claim.

    Args:
        handlers: the handlers of each plugin, by its name.
        injected: what each plugin's handlers can be given by type, by the plugin's name.
    """
    errors: list[PluginError] = []
    claims: dict[int, list[tuple[Route, Handler]]] = {}
    for plugin, functions in handlers.items():
        wrong: dict[tuple[int, str], list[Handler]] = {}  # by function and reason: said once, with all its IDs
        for handler in functions:
            reasons = missing(handler.signature, injected[plugin])
            for reason in reasons:
                wrong.setdefault((id(handler.marked), reason), []).append(handler)
            route = _route(plugin, handler, {} if reasons else injected[plugin])
            claims.setdefault(handler.mark.id, []).append((route, handler))
        errors += [
            handler_error(plugin, same[0].marked, [handler.mark for handler in same], reason)
            for (_, reason), same in wrong.items()
        ]
    routes = {message_id: claimants[0][0] for message_id, claimants in sorted(claims.items())}
    errors += [_conflict(claimants) for claimants in claims.values() if len(claimants) > 1]
    return routes, errors


def _route(plugin: str, handler: Handler, injected: Injected) -> Route:
    mark, marked = handler.mark, handler.marked
    function = bind(marked.function, handler.signature, injected)
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
