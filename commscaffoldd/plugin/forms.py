"""What is wrong with functions as middleware and as timers, found when the plugin is loaded, without running them."""

from __future__ import annotations

import dis
import inspect
from types import CodeType
from typing import Any

from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.scan import Marked


def check_middleware(plugin: str, marked: Marked) -> PluginError | None:
    """What is wrong with a function as middleware, in its form. What it takes is `wants`'s matter."""
    reason = _malformed(marked.function)
    if not reason:
        return None
    return PluginError(plugin, f"middleware {marked.qualname} {reason}", marked.file, marked.line)


def check_timer(plugin: str, marked: Marked) -> PluginError | None:
    """What is wrong with a function as a timer, in its form. What it takes is `wants`'s matter."""
    function = marked.function
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        text = f"timer {marked.qualname} is a generator (it contains yield): nobody takes what it yields; use return"
        return PluginError(plugin, text, marked.file, marked.line)
    return None


def _malformed(function: Any) -> str:  # noqa: ANN401  # whatever has been marked
    if inspect.isasyncgenfunction(function):
        return (
            "is an async generator: write it with a plain def; it serves async handlers, too, and its yield waits "
            "for them"
        )
    if not inspect.isgeneratorfunction(function):
        kind = "is an async function" if inspect.iscoroutinefunction(function) else "has no yield"
        return f"{kind}: it is a generator function, that calls the handler by `reply = yield`, and returns the reply"
    try:
        inspect.signature(function).bind_partial(None)
    except TypeError:
        return "takes no request: that is its first parameter, what it wants besides is injected by annotation"
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    if isinstance(code, CodeType) and not returns_value(code):
        return "never returns a value, so it swallows every reply: end it with `return reply`"
    return ""


def returns_value(code: CodeType) -> bool:
    """Whether some `return` of this very function has anything but `None`. Functions inside of it do not count."""
    before: dis.Instruction | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "RETURN_CONST" and instruction.argval is not None:  # only in some versions of Python
            return True
        if instruction.opname == "RETURN_VALUE" and (
            # A jump leads here, in `return reply or None`: then it is not only what stands before it.
            instruction.is_jump_target
            or before is None
            or not (before.opname == "LOAD_CONST" and before.argval is None)
        ):
            return True
        before = instruction
    return False
