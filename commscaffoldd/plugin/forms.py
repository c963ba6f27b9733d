"""What is wrong with functions as middleware and as timers, found when the plugin is loaded, without running them."""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any

from commscaffoldd.plugin.errors import PluginError
from commscaffoldd.plugin.kinds import (
    HiddenSignatureError,
    code_of,
    is_async_generator,
    is_coroutine_function,
    is_generator,
    signature_of,
)
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
    if is_generator(function) or is_async_generator(function):
        text = f"timer {marked.qualname} is a generator (it contains yield): nobody takes what it yields; use return"
        return PluginError(plugin, text, marked.file, marked.line)
    return None


def _malformed(function: Any) -> str:  # noqa: ANN401  # whatever has been marked
    if is_async_generator(function):
        return (
            "is an async generator: write it with a plain def; it serves async handlers, too, and its yield waits "
            "for them"
        )
    if not is_generator(function):
        kind = "is an async function" if is_coroutine_function(function) else "has no yield"
        return f"{kind}: it is a generator function, that calls the handler by `reply = yield`, and returns the reply"
    try:
        signature = signature_of(function)
    except HiddenSignatureError as error:
        return f"cannot be used: {error}"
    try:
        _ = signature and signature.bind_partial(None)
    except TypeError:
        return "takes no request: that is its first parameter, what it wants besides is injected by annotation"
    code = code_of(function)
    if code is not None and not returns_value(code):
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
