"""Hooks: checking a plugin's implementations, and calling them one by one.

pluggy holds the specifications and the implementations' order (`tryfirst`, `trylast`, else by plugin name).
The calls are made here and not through pluggy's callers, because there one implementation that raises ends
the call for all that follow; here it is one plugin's failure. For that reason wrappers, which would span
plugins, are refused.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pluggy

from commscaffoldd.plugin import hookspecs
from commscaffoldd.plugin.api import PROJECT
from commscaffoldd.plugin.errors import PluginError, did_you_mean
from commscaffoldd.plugin.injection import Provided, values_of
from commscaffoldd.plugin.kinds import HiddenSignatureError, is_coroutine_function, signature_of, unsupported_kind
from commscaffoldd.plugin.scan import Marked
from commscaffoldd.plugin.state import Provider
from commscaffoldd.plugin.wants import WantError, wants_of


@dataclasses.dataclass(frozen=True, slots=True)
class HookCall:
    """One plugin's implementation of one hook, which arguments it takes, and what else is injected into it."""

    plugin: str
    root: Path
    settings: object
    hook: str
    function: Callable[..., object]
    wanted: tuple[str, ...]
    injected: Mapping[str, Provided] = dataclasses.field(default_factory=dict)
    provides: tuple[Provider, ...] = ()

    def __call__(self, arguments: Mapping[str, object]) -> object:
        """Call it with those of the hook's arguments that it takes; whatever it raises passes through."""
        given = {**arguments, "settings": self.settings}
        injected = values_of(self.injected)
        return self.function(**{name: given[name] for name in self.wanted}, **injected)

    def run(self, arguments: Mapping[str, object], run_async: Callable[[Any], object]) -> object:
        """Call it, to its end: if it is `async def`, by this, which takes the coroutine."""
        result = self(arguments)
        return run_async(result) if inspect.iscoroutine(result) else result

    def guarded(
        self,
        arguments: Mapping[str, object],
        connection_id: str | None = None,
        run_async: Callable[[Any], object] | None = None,
    ) -> None:
        """Call it; what it raises is logged under the plugin's name and goes no further."""
        try:
            if run_async is None:
                self(arguments)
            else:
                self.run(arguments, run_async)
        except BaseException:  # whatever it is: a plugin must not end a thread of ours
            logging.getLogger(f"{PROJECT}.plugin.{self.plugin}").exception(
                "plugin %s: hook %s failed",
                self.plugin,
                self.hook,
                extra={"connection": connection_id} if connection_id is not None else None,
            )


def _stand_in() -> None: ...


class _Registration:
    """What pluggy is given for one implementation.

    Not the plugin's own object: pluggy compares what is registered with `==`, which objects of plugins may
    define as they like. Nor its function: that may take more than pluggy knows of, and only the order is asked for.
    """

    def __init__(self, call: HookCall, options: dict[str, Any]) -> None:
        self.call = call
        self.options = options
        setattr(self, call.hook, _stand_in)


class _Manager(pluggy.PluginManager):
    def __init__(self) -> None:
        super().__init__(PROJECT)
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:  # noqa: ANN401  pluggy keeps the type private
        if isinstance(plugin, _Registration) and name == plugin.call.hook:
            return plugin.options
        return None


def _arguments() -> dict[str, tuple[str, ...]]:
    return {name: caller.spec.argnames for name, caller in vars(_Manager().hook).items()}


HOOKS: Final[Mapping[str, tuple[str, ...]]] = _arguments()
"""Every hook's name, with the names of its arguments."""


MAY_BE_ASYNC: Final = frozenset({"worker_started", "worker_stopping"})
"""Hooks that can be `async def`: those that run while nobody waits in a thread of the pool."""

BEFORE_STATE: Final = frozenset({"create_plugin", "self_test", "worker_started"})
"""Hooks that are called before there is anything to inject into them."""


def hook_name(marked: Marked) -> str | None:
    """The hook that a function implements, if it is marked as doing so."""
    if marked.hook is None:
        return None
    return marked.hook.get("specname") or marked.name


def hook_call(plugin: str, root: Path, settings: object, marked: Marked) -> HookCall:
    """The call of an implementation that `check_hook` found right."""
    hook = hook_name(marked) or marked.name
    return HookCall(plugin, root, settings, hook, marked.function, taken(marked.function, HOOKS[hook]))


def check_hook(plugin: str, marked: Marked) -> PluginError | None:
    """What is wrong with a function as a hook's implementation."""
    reason = _unmarked(marked) if marked.hook is None else _misnamed(marked) or _malformed(marked)
    return PluginError(plugin, reason, marked.file, marked.line) if reason else None


def _unmarked(marked: Marked) -> str:
    if marked.name not in HOOKS:
        return ""
    return f"{marked.qualname} has the name of a hook, but no @hookimpl above it: add that, or rename it"


def _misnamed(marked: Marked) -> str:
    hook = hook_name(marked) or marked.name
    if hook in HOOKS:
        return ""
    return f"{marked.qualname}: there is no hook {hook!r}: {did_you_mean(hook, HOOKS.keys())}"


def _malformed(marked: Marked) -> str:
    options = marked.hook or {}
    if options.get("wrapper") or options.get("hookwrapper"):
        return f"{marked.qualname}: hook wrappers are not supported; leave out wrapper=True"
    if not inspect.isroutine(marked.function):
        return f"hook {marked.name} is a {type(marked.function).__name__}: make it a function"
    hook = hook_name(marked) or marked.name
    kind = unsupported_kind(marked.function)
    if kind and not (hook in MAY_BE_ASYNC and is_coroutine_function(marked.function)):
        return f"hook {marked.qualname} is {kind}, which is not supported: use a plain def"
    return _untakable(marked, hook)


def _untakable(marked: Marked, hook: str) -> str:
    try:
        signature = signature_of(marked.function)
    except HiddenSignatureError as error:
        return f"hook {marked.qualname}: {error}"
    if signature is None:
        return f"hook {marked.qualname} is not written in Python: call it from a function of your own"
    try:
        if hook in BEFORE_STATE:
            signature.bind(**dict.fromkeys(taken(marked.function, HOOKS[hook])))
        else:
            wants_of(marked.function, HOOKS[hook])
    except (TypeError, WantError) as error:
        may_take = "may take these arguments, all or some, by these names: " + ", ".join(HOOKS[hook])
        reason = f"; {error}" if isinstance(error, WantError) else ""
        return f"hook {marked.qualname}{parameters(signature)} {may_take}{reason}"
    return ""


def ordered_calls(implementations: Sequence[tuple[HookCall, Marked]]) -> dict[str, tuple[HookCall, ...]]:
    """All implementations of each hook, in the order in which they are to be called.

    Args:
        implementations: those that `check_hook` found right, in the order of plugins.
    """
    manager = _Manager()
    for number, (call, marked) in reversed(list(enumerate(implementations))):  # pluggy: last in, first called
        manager.register(_Registration(call, dict(marked.hook or {})), f"{number} {call.plugin}")
    manager.check_pending()
    return {
        hook: tuple(found.plugin.call for found in reversed(getattr(manager.hook, hook).get_hookimpls()))
        for hook in HOOKS
    }


def parameters(signature: inspect.Signature) -> str:
    """The parameters as they are written, without annotations."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def taken(function: Callable[..., object], arguments: Sequence[str]) -> tuple[str, ...]:
    """Those of the arguments that a function takes."""
    try:
        signature = signature_of(function)
    except HiddenSignatureError:  # it has been told
        return ()
    if signature is None:
        return ()
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    if inspect.Parameter.VAR_KEYWORD in kinds.values():
        return tuple(arguments)
    return tuple(name for name in arguments if name in kinds)
