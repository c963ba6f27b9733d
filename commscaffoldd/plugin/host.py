"""The plugin host: all plugins of a worker, as one table of routes and one set of hooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.route import Route
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.discovery import Source, discover
from commscaffoldd.plugin.errors import PluginError, PluginErrors, did_you_mean, from_exception
from commscaffoldd.plugin.hooks import HookCall, ordered_calls
from commscaffoldd.plugin.kinds import code_of, is_async
from commscaffoldd.plugin.loading import LoadedPlugin, load_plugin
from commscaffoldd.plugin.routes import build_routes
from commscaffoldd.plugin.state import keep
from commscaffoldd.plugin.wiring import Wiring, wire

__all__ = ["PluginHost", "RunAsync", "WorkerInfo", "load_plugins", "load_sources"]

RunAsync: TypeAlias = Callable[[Coroutine[Any, Any, object]], object]
"""Runs a coroutine to its end on the worker's event loop, from another thread; gives its result, or raises."""


class PluginHost:
    """The plugins of one worker.

    Attributes:
        routes: the handlers by message ID, ready to call.
        handlers: the same handlers with their functions' signatures, for those who describe them.
        names: the plugins' names, sorted.
        is_async: some plugin has something for an event loop.
        timers: what the worker is to call again and again.
        login_needed: some handler is open to clients who have not logged in; the others are not.
        connection_opened: calls every plugin's hook, or `None` where no plugin has it. Any thread may call
            it; it raises nothing.
        connection_closed: the same, with the reason as second argument.
        connection_handing_over, connection_adopted: as `connection_opened`.
    """

    def __init__(self, plugins: Sequence[LoadedPlugin], routes: dict[int, Route], wiring: Wiring) -> None:
        self.routes = routes
        self.handlers = {handler.mark.id: handler for plugin in plugins for handler in plugin.handlers}
        self.names = tuple(plugin.name for plugin in plugins)
        self.login_needed = any(route.open for route in routes.values())
        self.timers = tuple(wiring.timers)
        self._state = wiring.state
        self.is_async = (
            any(route.is_async for route in routes.values())
            or any(timer.is_async for timer in wiring.timers)
            or any(is_async(call.function) for call, _ in wiring.hooks)
        )
        self._calls = ordered_calls(wiring.hooks)
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

    def worker_started(self, worker: WorkerInfo, run_async: RunAsync | None = None) -> None:
        """Tell every plugin that the worker is about to accept, and keep the state that they return.

        On the main thread, before anything else is called that may want that state: handlers, timers, other hooks.

        Args:
            worker: the worker.
            run_async: for hooks that are `async def`; `None`: such a hook fails.

        Raises:
            PluginErrors: what the plugins raised, or returned and had not announced, all of it.
        """
        self._state.worker.value = worker
        arguments, run_async = {"worker": worker}, run_async or _no_event_loop
        calls = self._calls["worker_started"]
        _raise_all(error for call in calls if (error := _begin_state(call, arguments, run_async)) is not None)

    def worker_stopping(self, worker: WorkerInfo, run_async: RunAsync | None = None) -> None:
        """Tell every plugin that the last handler has returned. Raises nothing. For the main thread.

        Args: as `worker_started`.
        """
        for call in self._calls["worker_stopping"]:
            call.guarded({"worker": worker}, run_async=run_async or _no_event_loop)

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
        _raise_all(error for call in self._calls[hook] if (error := _attempt(call, arguments)) is not None)


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
    return load_sources(sources, errors, disabled, settings)


def load_sources(
    sources: Mapping[str, Source],
    errors: list[PluginError],
    disabled: Collection[str],
    settings: Mapping[str, Mapping[str, Any]],
) -> PluginHost:
    """Import and check these plugins; as `load_plugins`, which finds them.

    Args:
        sources: the plugins by name.
        errors: what is already known to be wrong with them.
        disabled: names of plugins to leave out.
        settings: each plugin's table, by the plugin's name.

    Raises:
        PluginErrors: all that is wrong, with all plugins.
    """
    errors = [*errors]
    errors += _unknown_names(sources.keys(), disabled, settings.keys())
    plugins = [
        load_plugin(source, settings.get(name, {}))
        for name, source in sorted(sources.items())
        if name not in disabled
    ]
    for plugin in plugins:
        errors += plugin.errors
    wiring = wire(plugins)
    routes, conflicts = build_routes({plugin.name: plugin.handlers for plugin in plugins}, wiring)
    _raise_all([*errors, *wiring.errors, *conflicts])
    return PluginHost(plugins, routes, wiring)


def _unknown_names(there: Collection[str], disabled: Collection[str], settings: Collection[str]) -> list[PluginError]:
    places = [(name, f"[plugin.{name}]") for name in settings]
    places += [(name, f"plugins.disabled: {name!r}") for name in disabled]
    return [
        PluginError("", f"{place}: there is no plugin of this name: {did_you_mean(name, there)}")
        for name, place in places
        if name not in there
    ]


def _raise_all(errors: Iterable[PluginError]) -> None:
    if found := list(errors):
        raise PluginErrors(found)


def _begin_state(call: HookCall, arguments: Mapping[str, object], run_async: RunAsync) -> PluginError | None:
    try:
        keep(call.provides, call.run(arguments, run_async))
    except BaseException as error:  # noqa: BLE001  whatever it is, it becomes the reason
        return _failed(call, error)
    return None


def _failed(call: HookCall, error: BaseException) -> PluginError:
    failed = from_exception(call.plugin, call.root, error, f"{call.hook} failed")
    code = code_of(call.function)
    if failed.line is not None or code is None:
        return failed
    # None of its lines raised it, so the hook itself is the place: it has returned what it should not.
    return dataclasses.replace(failed, file=Path(code.co_filename), line=code.co_firstlineno)


def _no_event_loop(coroutine: Coroutine[Any, Any, object]) -> NoReturn:
    coroutine.close()  # else Python warns that it was never awaited
    raise RuntimeError("there is no event loop here on which an async hook could run")


def _attempt(call: HookCall, arguments: Mapping[str, object]) -> PluginError | None:
    try:
        call(arguments)
    except BaseException as error:  # noqa: BLE001  whatever it is, it becomes the reason
        return _failed(call, error)
    return None
