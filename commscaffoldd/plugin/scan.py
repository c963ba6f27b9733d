"""Finding what our decorators have marked, in a plugin's modules and in the object that it made.

Attributes are looked at statically: a property is not evaluated, and an object that answers to every
attribute (a mock, a lazy import) is not taken for a handler.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from commscaffoldd.plugin.api import HANDLER_MARK, PROJECT, HandlerMark
from commscaffoldd.plugin.kinds import code_of
from commscaffoldd.plugin.middleware import MIDDLEWARE_MARK, MiddlewareMark
from commscaffoldd.plugin.timers import TIMER_MARK, TimerMark

HOOK_MARK: Final = f"{PROJECT}_impl"

_MARKS: Final = (HANDLER_MARK, HOOK_MARK, MIDDLEWARE_MARK, TIMER_MARK)
DEPTH: Final = 5  # decorators on one function that are looked through
_KEEPERS: Final = (property, functools.cached_property, functools.singledispatchmethod)


@dataclasses.dataclass(frozen=True, slots=True)
class Marked:
    """A function that counts as the plugin's, or could.

    Attributes:
        name: the attribute's name; a hook's implementation is known by it.
        qualname: the function's own qualified name, for people.
        function: ready to call; bound where it is a method.
        handlers: its `@handler` marks, in the order in which they stand.
        hook: its `@hookimpl` options, None without that mark.
        middleware: its `@middleware`, if it has one.
        timer: its `@every`, if it has one.
        file: where the function stands.
        line: its first line, from 1; of its first decorator if it has any.
    """

    name: str
    qualname: str
    function: Callable[..., Any]
    handlers: tuple[HandlerMark, ...]
    hook: dict[str, Any] | None
    middleware: MiddlewareMark | None
    timer: TimerMark | None
    file: Path
    line: int | None

    @property
    def is_marked(self) -> bool:
        """Whether any of our decorators is on it."""
        marks = (self.hook, self.middleware, self.timer)
        return bool(self.handlers) or any(mark is not None for mark in marks)

    @property
    def place(self) -> str:
        """`FILE:LINE`."""
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


def modules_of(module: types.ModuleType) -> list[types.ModuleType]:
    """The module, and of a package also those of its modules that have been imported."""
    inside = module.__name__ + "."
    below = [m for name, m in sorted(sys.modules.items()) if name.startswith(inside)]
    return [module, *(m for m in below if isinstance(m, types.ModuleType))]


def functions_of(holder: object) -> Iterator[Marked]:
    """The marked functions of a module or object, and the unmarked ones defined there, each once."""
    seen: set[int] = set()
    for name, static in _attributes(holder):
        origin = _origin(static)
        if origin is None or id(origin) in seen:
            continue
        marked = _marked(holder, name, origin, static)
        if marked is not None:
            seen.add(id(origin))
            yield marked


def unused_classes(modules: list[types.ModuleType], created: object) -> Iterator[tuple[type, Marked]]:
    """Classes with marked methods of which `create_plugin` made no instance, each with one such method."""
    names = {module.__name__ for module in modules}
    seen: set[type] = set()
    for module in modules:
        for kind in list(vars(module).values()):
            if not issubclass(type(kind), type) or kind in seen or kind.__module__ not in names:
                continue
            seen.add(kind)
            if kind in type(created).__mro__:  # isinstance raises for a TypedDict
                continue
            marked = [m for m in functions_of(kind) if m.is_marked]
            if marked:
                yield kind, marked[0]


def hidden_functions(holders: Iterable[object]) -> Iterator[Marked]:
    """Marked functions that nobody can find: below a decorator that has put another function in their place."""
    holders = list(holders)
    found = {id(origin) for holder in holders for _, static in _attributes(holder) if (origin := _origin(static))}
    for holder in holders:
        for name, static in _attributes(holder):
            for inner in _within(static, DEPTH):
                marked = _marked(holder, name, inner, inner)
                if marked is not None and marked.is_marked and id(inner) not in found:
                    found.add(id(inner))
                    yield marked


def _within(static: object, depth: int) -> Iterator[types.FunctionType]:
    """The functions that a decorator has kept: in a closure, or as a property does. Not if it has kept the marks."""
    origin = _origin(static)
    if depth == 0 or any(inspect.getattr_static(origin, mark, None) is not None for mark in _MARKS):
        return
    kept = [getattr(static, name, None) for name in ("fget", "func") if issubclass(type(static), _KEEPERS)]
    for cell in origin.__closure__ or () if type(origin) is types.FunctionType else ():
        with contextlib.suppress(ValueError):  # it is empty
            kept.append(cell.cell_contents)
    for inner in kept:
        if type(inner) is types.FunctionType:
            yield inner
            yield from _within(inner, depth - 1)


def _attributes(holder: object) -> Iterator[tuple[str, object]]:
    if isinstance(holder, types.ModuleType):
        yield from list(vars(holder).items())
        return
    for name in dir(holder):
        yield name, inspect.getattr_static(holder, name, None)


def _origin(static: object) -> Callable[..., Any] | None:
    """The function behind an attribute: what carries the marks."""
    # Of its type, not by isinstance: that asks a lazy object for its __class__, which may be too early.
    if issubclass(type(static), (staticmethod, classmethod, types.MethodType)):
        inner: Callable[..., Any] = static.__func__  # type: ignore[attr-defined]
        return inner
    return static if callable(static) and not issubclass(type(static), type) else None


def _marked(holder: object, name: str, origin: Callable[..., Any], static: object) -> Marked | None:
    handlers = inspect.getattr_static(origin, HANDLER_MARK, ())
    # @hookimpl above @staticmethod marks the wrapper, below it the function.
    hook = inspect.getattr_static(static, HOOK_MARK, None) or inspect.getattr_static(origin, HOOK_MARK, None)
    handlers = handlers if isinstance(handlers, tuple) else ()
    hook = hook if isinstance(hook, dict) else None
    middleware = inspect.getattr_static(origin, MIDDLEWARE_MARK, None)
    middleware = middleware if isinstance(middleware, MiddlewareMark) else None
    timer = inspect.getattr_static(origin, TIMER_MARK, None)
    timer = timer if isinstance(timer, TimerMark) else None
    own = isinstance(holder, types.ModuleType) and getattr(origin, "__module__", None) == holder.__name__
    unmarked = not handlers and hook is None and middleware is None and timer is None
    if unmarked and not (own and type(origin) is types.FunctionType):
        return None
    code = code_of(origin)
    file = Path(code.co_filename) if code else Path(getattr(holder, "__file__", None) or name)
    return Marked(
        name=name,
        qualname=getattr(origin, "__qualname__", name),
        function=getattr(holder, name),
        handlers=handlers,
        hook=hook,
        middleware=middleware,
        timer=timer,
        file=file,
        line=code.co_firstlineno if code else None,
    )
