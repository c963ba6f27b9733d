"""The plugin host: all plugins of a worker, as one table of routes and one set of hooks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.login import behind_login
from commscaffoldd.core.route import Route
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.discovery import discover
from commscaffoldd.plugin.errors import PluginError, PluginErrors, did_you_mean, from_exception
from commscaffoldd.plugin.hooks import HookCall, ordered_calls
from commscaffoldd.plugin.loading import LoadedPlugin, load_plugin
from commscaffoldd.plugin.routes import build_routes

__all__ = ["PluginHost", "WorkerInfo", "load_plugins"]


class PluginHost:
    """The plugins of one worker.

    Attributes:
        routes: the handlers by message ID, ready to call.
        handlers: the same handlers with their functions' signatures, for those who describe them.
        names: the plugins' names, sorted.
        login_needed: some handler is open to clients who have not logged in; the others are not.
        connection_opened: calls every plugin's hook, or `None` where no plugin has it. Any thread may call
            it; it raises nothing.
        connection_closed: the same, with the reason as second argument.
        connection_handing_over, connection_adopted: as `connection_opened`.
    """

    def __init__(self, plugins: Sequence[LoadedPlugin], routes: dict[int, Route]) -> None:
        self.routes = routes
        self.handlers = {handler.mark.id: handler for plugin in plugins for handler in plugin.handlers}
        self.names = tuple(plugin.name for plugin in plugins)
        self.login_needed = any(route.open for route in routes.values())
        self._calls = ordered_calls([hook for plugin in plugins for hook in plugin.hooks])
        self.connection_opened = self._caller("connection_opened")
        self.connection_closed: Callable[[Connection, str], None] | None = (
            self._closed if self._calls["connection_closed"] else None
        )

        self.connection_handing_over = self._caller("connection_handing_over")
        self.connection_adopted = self._caller("connection_adopted")

    def self_test(self) -> None:
        """Let every plugin test itself. Call it before the worker has threads.

        Raises:
            PluginErrors: what the plugins raised, all of it.
        """
        self._all("self_test", {})

    def worker_started(self, worker: WorkerInfo) -> None:
        """Tell every plugin that the worker is about to accept; from then on the routes are ready to be called.

        On the main thread, before anybody takes the routes.

        Raises:
            PluginErrors: what the plugins raised, all of it.
        """
        self._all("worker_started", {"worker": worker})
        if self.login_needed:
            for route in self.routes.values():
                if not route.open:
                    route.function = behind_login(route.function)

    def worker_stopping(self, worker: WorkerInfo) -> None:
        """Tell every plugin that the last handler has returned. Raises nothing. For the main thread."""
        for call in self._calls["worker_stopping"]:
            call.guarded({"worker": worker})

    def _caller(self, hook: str) -> Callable[[Connection], None] | None:
        calls = self._calls[hook]

        def call_all(connection: Connection) -> None:
            for call in calls:
                call.guarded({"connection": connection}, connection.id)

        return call_all if calls else None

    def _closed(self, connection: Connection, reason: str) -> None:
        for call in self._calls["connection_closed"]:
            call.guarded({"connection": connection, "reason": reason}, connection.id)

    def _all(self, hook: str, arguments: Mapping[str, object]) -> None:
        errors = [error for call in self._calls[hook] if (error := _attempt(call, arguments)) is not None]
        if errors:
            raise PluginErrors(errors)


def load_plugins(
    paths: Sequence[Path], disabled: Collection[str], settings: Mapping[str, Mapping[str, Any]]
) -> PluginHost:
    """Find, import and check all plugins. Call it after the fork and before the worker has threads.

    Args:
        paths: the folders to look into, absolute.
        disabled: names of plugins to leave out; they are not even imported.
        settings: each plugin's table, by the plugin's name.

    Raises:
        PluginErrors: all that is wrong, with all plugins.
    """
    sources, errors = discover(paths)
    errors += _unknown_names(sources.keys(), disabled, settings.keys())
    plugins = [
        load_plugin(source, settings.get(name, {}))
        for name, source in sorted(sources.items())
        if name not in disabled
    ]
    for plugin in plugins:
        errors += plugin.errors
    routes, conflicts = build_routes(
        {plugin.name: plugin.handlers for plugin in plugins},
        {plugin.name: plugin.settings.injected for plugin in plugins},
    )
    errors += conflicts
    if errors:
        raise PluginErrors(errors)
    return PluginHost(plugins, routes)


def _unknown_names(there: Collection[str], disabled: Collection[str], settings: Collection[str]) -> list[PluginError]:
    places = [(name, f"[plugin.{name}]") for name in settings]
    places += [(name, f"plugins.disabled: {name!r}") for name in disabled]
    return [
        PluginError("", f"{place}: there is no plugin of this name: {did_you_mean(name, there)}")
        for name, place in places
        if name not in there
    ]


def _attempt(call: HookCall, arguments: Mapping[str, object]) -> PluginError | None:
    try:
        call(arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, it becomes the reason
        return from_exception(call.plugin, call.root, error, f"{call.hook} failed")
    return None
