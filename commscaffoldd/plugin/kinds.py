"""What kind of function something is: plain, async, a generator; and its signature, where it has one.

An object that is called like a function is what its `__call__` is, so an `async def __call__` is async, too.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any


class HiddenSignatureError(Exception):
    """A function's parameters cannot be found out; the text says why."""


def is_async(function: Callable[..., Any]) -> bool:
    """Whether it is `async def`, with or without `yield`."""
    return is_coroutine_function(function) or is_async_generator(function)


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether it is `async def` without `yield`."""
    return inspect.iscoroutinefunction(_called(function))


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Whether it is `async def` with `yield`."""
    return inspect.isasyncgenfunction(_called(function))


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether it is a plain `def` with `yield`."""
    return inspect.isgeneratorfunction(_called(function))


def unsupported_kind(function: Callable[..., Any]) -> str:
    """What makes a function unfit to be called for its result: `async def` or `yield`; "" if nothing does."""
    if is_async(function):
        return "an async function"
    return "a generator (it contains yield)" if is_generator(function) else ""


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Its signature; `None` of what is written in C, and has none to look at.

    Raises:
        HiddenSignatureError: somebody has hung something else on it, in a signature's place.
    """
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        if code_of(function) is None:
            return None
        raise HiddenSignatureError(f"its signature cannot be found out: {error}") from None


def code_of(function: object) -> CodeType | None:
    """The code of the function that its author wrote, below decorators; `None` of what is written in C."""
    inner: Any = function
    if isinstance(inner, functools.partial):
        inner = inner.func
    inner = getattr(inner, "__func__", inner)
    with contextlib.suppress(ValueError):  # it wraps itself
        inner = inspect.unwrap(inner)
    if not hasattr(inner, "__code__"):
        inner = type(inner).__call__
    code = getattr(inner, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _called(function: Any) -> Any:  # noqa: ANN401  # whatever has been marked
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    return type(function).__call__
