"""Wiring: what plugins' functions are given of each other's state, once all plugins are loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from commscaffoldd.plugin.declared import SETTINGS
from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.hooks import BEFORE_STATE, HOOKS, HookCall, taken
from commscaffoldd.plugin.injection import Provided
from commscaffoldd.plugin.loading import LoadedPlugin
from commscaffoldd.plugin.middleware import Middleware
from commscaffoldd.plugin.scan import Marked
from commscaffoldd.plugin.state import Provider, State, providers_of
from commscaffoldd.plugin.timers import Timer
from commscaffoldd.plugin.wants import WantError, wants_of


@dataclasses.dataclass(slots=True)
class Wiring:
    """All plugins' functions, with what they are given.

    Attributes:
        state: what `worker_started` hooks provide.
        hooks: every hook's implementation, in the order of plugins.
        middlewares: in the order of plugins.
        timers: the same.
        errors: what is wanted and not there, provided twice, or cannot be provided.
    """

    state: State
    hooks: list[tuple[HookCall, Marked]]
    middlewares: list[Middleware]
    timers: list[Timer]
    errors: list[PluginError]


def wire(plugins: Sequence[LoadedPlugin]) -> Wiring:
    """Give each function what it wants. A plugin with errors is wired as far as it goes."""
    return _Wirer(plugins).wiring


class _Wirer:
    def __init__(self, plugins: Sequence[LoadedPlugin]) -> None:
        self._errors: list[PluginError] = []
        self._provided = self._providers(plugins)
        self._state = State(
            (one for some in self._provided.values() for one in some),
            {plugin.name: plugin.settings.injected for plugin in plugins},
        )
        self._report_clashes()
        self.wiring = Wiring(
            self._state,
            [(self._hook(call, marked), marked) for plugin in plugins for call, marked in plugin.hooks],
            [self._middleware(plugin, marked) for plugin in plugins for marked in plugin.middlewares],
            [self._timer(plugin, marked) for plugin in plugins for marked in plugin.timers],
            self._errors,
        )

    def _providers(self, plugins: Sequence[LoadedPlugin]) -> dict[int, tuple[Provider, ...]]:
        """What each `worker_started` provides, by the identity of what it was found as."""
        found: dict[int, tuple[Provider, ...]] = {}
        for plugin in plugins:
            for call, marked in plugin.hooks:
                if call.hook == "worker_started":
                    found[id(marked)], error = providers_of(plugin.name, marked)
                    self._errors += filter(None, [error])
        return found

    def _report_clashes(self) -> None:
        for first, second in self._state.clashes():
            text = (
                f"worker_started returns {second.kind.__qualname__}, and so does {first.marked.place}: who asks for "
                "one could not say which; return a class of its own for each"
            )
            self._errors.append(PluginError(second.plugin, text, second.marked.file, second.marked.line))

    def _hook(self, call: HookCall, marked: Marked) -> HookCall:
        if call.hook in BEFORE_STATE:
            return dataclasses.replace(call, provides=self._provided.get(id(marked), ()))
        injected = self._injected(call.plugin, f"hook {marked.qualname}", marked, HOOKS[call.hook])
        return dataclasses.replace(call, injected=injected)

    def _middleware(self, plugin: LoadedPlugin, marked: Marked) -> Middleware:
        assert marked.middleware is not None, "it was found by its mark"
        injected = self._injected(plugin.name, f"middleware {marked.qualname}", marked, (SETTINGS,), skip=1)
        return Middleware(
            plugin.name,
            marked.qualname,
            marked.function,
            marked.middleware,
            {**injected, **_settings(plugin, marked)},
        )

    def _timer(self, plugin: LoadedPlugin, marked: Marked) -> Timer:
        assert marked.timer is not None, "it was found by its mark"
        injected = self._injected(plugin.name, f"timer {marked.qualname}", marked, (SETTINGS,))
        return Timer(
            plugin.name, marked.qualname, marked.timer, marked.function, {**injected, **_settings(plugin, marked)}
        )

    def _injected(
        self, plugin: str, what: str, marked: Marked, given: Sequence[str], skip: int = 0
    ) -> Mapping[str, Provided]:
        try:
            values, wrong = self._state.resolve(plugin, wants_of(marked.function, given, skip=skip))
        except WantError as error:
            values, wrong = {}, [str(error)]
        self._errors += [PluginError(plugin, f"{what}: {reason}", marked.file, marked.line) for reason in wrong]
        return values


def _settings(plugin: LoadedPlugin, marked: Marked) -> dict[str, Provided]:
    """The plugin's settings, in the form in which a function takes them, if it does."""
    if not taken(marked.function, (SETTINGS,)):
        return {}
    return {SETTINGS: Provided.of(plugin.settings.given_to(marked.function))}
