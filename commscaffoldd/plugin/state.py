"""The state of a worker: what `worker_started` hooks return, and who is given it.

A return annotation declares it, so `check` finds what does not fit without running anything:

    worker_started(settings) -> Pool             makes it, before the first connection
    get_user(request, pool: Pool)                is given it, whatever it is: handler, timer, hook, middleware
    worker_stopping(pool: Pool)                  takes it back

A plugin is given its own first, then what another one has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from commscaffoldd.core.connection import Connection
from commscaffoldd.core.request import Request
from commscaffoldd.plugin.annotations import NOTHING, UnresolvedError, resolve
from commscaffoldd.plugin.api import WorkerInfo
from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.injection import Injected, Provided
from commscaffoldd.plugin.kinds import HiddenSignatureError, signature_of
from commscaffoldd.plugin.scan import Marked
from commscaffoldd.plugin.wants import Want

_TAKEN: Final = (Connection, Request, WorkerInfo, object)
"""What means something else where it is asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Provider:
    """One type that a plugin's `worker_started` returns.

    Attributes:
        plugin: whose it is.
        kind: the type.
        marked: the hook.
        provided: where the value is, once the hook has returned.
    """

    plugin: str
    kind: type
    marked: Marked
    provided: Provided


class ProvidedTypeError(TypeError):
    """A `worker_started` has returned something else than its annotation says."""


def providers_of(plugin: str, marked: Marked) -> tuple[tuple[Provider, ...], PluginError | None]:
    """What a `worker_started` hook promises to return, and what is wrong with the promise."""
    try:
        signature = signature_of(marked.function)
        annotation = NOTHING if signature is None else signature.return_annotation
        kinds = _kinds(resolve(marked.function, annotation))
    except HiddenSignatureError:  # it is told where hooks are looked at
        return (), None
    except (UnresolvedError, ProvidedTypeError) as error:
        text = f"hook {marked.qualname}: its return annotation: {error}"
        return (), PluginError(plugin, text, marked.file, marked.line)
    return tuple(Provider(plugin, kind, marked, Provided()) for kind in kinds), None


def keep(providers: Sequence[Provider], result: object) -> None:
    """Take what a `worker_started` has returned.

    Args:
        providers: what it has promised; it has returned one object, or a tuple of several in that order.
        result: what it has returned.

    Raises:
        ProvidedTypeError: it is something else.
    """
    if not providers:
        if result is not None:
            raise ProvidedTypeError(
                f"it returned {type(result).__name__}, and has no return annotation: annotate it, so that others are "
                "given it, or return nothing"
            )
        return
    values = (result,) if len(providers) == 1 else result
    if not isinstance(values, tuple) or len(values) != len(providers):
        wanted = ", ".join(one.kind.__name__ for one in providers)
        raise ProvidedTypeError(f"it returned {_description(result)}, and is annotated to return tuple[{wanted}]")
    for one, value in zip(providers, values, strict=True):
        if not isinstance(value, one.kind):
            raise ProvidedTypeError(
                f"it returned {_description(value)}, and is annotated to return {one.kind.__name__}"
            )
    for one, value in zip(providers, values, strict=True):
        one.provided.value = value


class State:
    """All that `worker_started` hooks provide, of all plugins. Made when they are loaded; the values come later."""

    def __init__(self, providers: Iterable[Provider], settings: Mapping[str, Injected]) -> None:
        """All of it.

        Args:
            providers: what hooks have promised.
            settings: what each plugin is given of its settings, by the plugin's name.
        """
        self._providers = tuple(providers)
        self._settings = settings
        self.worker = Provided()
        """The worker itself, a `WorkerInfo`."""

    def clashes(self) -> list[tuple[Provider, Provider]]:
        """Types that one plugin provides more than once: the first, and the one that is too many."""
        first: dict[tuple[str, type], Provider] = {}
        return [
            (earlier, one)
            for one in self._providers
            if (earlier := first.setdefault((one.plugin, one.kind), one)) is not one
        ]

    def injected(self, plugin: str) -> Injected:
        """What a plugin's functions are given, by type: its own, then what exactly one other plugin has."""
        found: dict[Any, Provided] = {}
        for kind in {one.kind for one in self._providers}:
            candidates = self._candidates(plugin, kind)
            if len({one.plugin for one in candidates}) == 1:
                found[kind] = candidates[0].provided
        return {**found, **self._settings.get(plugin, {}), WorkerInfo: self.worker}

    def resolve(self, plugin: str, wants: Iterable[Want]) -> tuple[Mapping[str, Provided], list[str]]:
        """The values for a function's parameters, by name; and why some have none."""
        injected = self.injected(plugin)
        values: dict[str, Provided] = {}
        wrong: list[str] = []
        for want in wants:
            if _is_class(want.kind) and want.kind in injected:
                values[want.name] = injected[want.kind]
            elif not want.optional:
                wrong.append(f"parameter {want.name}: {self.why_missing(plugin, want.kind)}")
        return values, wrong

    def clash(self, plugin: str, kind: Any) -> str:  # noqa: ANN401  # any annotation
        """Why a plugin is not given anything of this type, though others provide it; empty if they do not."""
        candidates = self._candidates(plugin, kind) if _is_class(kind) else []
        if all(one.plugin == candidates[0].plugin for one in candidates):
            return ""
        those = " and ".join(f"{one.plugin} ({one.marked.place})" for one in candidates)
        return (
            f"{kind.__qualname__} is provided by plugins {those}: have only one of them return it from worker_started"
        )

    def why_missing(self, plugin: str, kind: Any) -> str:  # noqa: ANN401  # any annotation
        """Why a plugin is not given anything of this type."""
        if clash := self.clash(plugin, kind):
            return clash
        name = getattr(kind, "__qualname__", None) or repr(kind)
        there = sorted(f"{one.kind.__qualname__} (plugin {one.plugin})" for one in self._providers)
        return (
            f"no worker_started returns {name}: annotate one with `-> {name}` "
            f"(there are: {', '.join(there) or 'none'})"
        )

    def _candidates(self, plugin: str, kind: type) -> list[Provider]:
        found = [one for one in self._providers if one.kind is kind]
        return [one for one in found if one.plugin == plugin] or found


def _kinds(annotation: Any) -> tuple[type, ...]:  # noqa: ANN401  # any annotation
    if annotation in (NOTHING, None, type(None)):
        return ()
    kinds = get_args(annotation) if get_origin(annotation) is tuple else (annotation,)
    for kind in kinds:
        if not _is_class(kind) or kind in _TAKEN or kind is tuple:
            name = getattr(kind, "__qualname__", None) or repr(kind)
            raise ProvidedTypeError(
                f"{name} cannot be provided: a class of your own, or of a library; tuple[A, B] for several; None for "
                "nothing"
            )
        _check_testable(kind)
    return kinds


def _check_testable(kind: type) -> None:
    try:
        isinstance(None, kind)
    except Exception as error:  # noqa: BLE001  # a Protocol, a TypedDict, a metaclass of the plugin's own
        raise ProvidedTypeError(
            f"{kind.__qualname__} cannot be provided, since no value can be tested for it ({error}): use a class, or "
            "a Protocol with @runtime_checkable"
        ) from None


def _is_class(kind: object) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None


def _description(value: object) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(type(one).__name__ for one in value)}]"
    return type(value).__name__
