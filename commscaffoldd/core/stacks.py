"""Where a thread is: its Python stack as text, from the handler that it runs on."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from inspect import unwrap
from types import CodeType
from typing import Any


def stack_of(thread: int, handler: Callable[[Any], object]) -> str:
    """The lines of a thread's stack, the innermost call last.

    Args:
        thread: its identifier, as `threading.get_ident` gives it.
        handler: what lies below its frame is left out; all is shown if it has none, as what is written in C.
    """
    try:
        return _stack_of(thread, handler)
    except Exception as error:  # noqa: BLE001  # the code is a plugin's, and so is what finds its source and its wrappers
        return f"(its stack cannot be shown: {type(error).__name__}: {error})"


def _stack_of(thread: int, handler: Callable[[Any], object]) -> str:
    frame = sys._current_frames().get(thread)  # noqa: SLF001  # there is no other way, and it is documented
    if frame is None:
        return "(the thread has ended)"
    frames = list(traceback.walk_stack(frame))  # the innermost one first
    code = _code_of(handler)
    depth = max((index for index, (one, _) in enumerate(frames) if one.f_code is code), default=len(frames) - 1)
    stack = traceback.StackSummary.extract(iter(frames[: depth + 1]))
    stack.reverse()
    return "".join(stack.format()).rstrip("\n")


def _code_of(function: object) -> CodeType | None:
    inner: Any = unwrap(function)  # type: ignore[arg-type]  # it takes anything
    code: CodeType | None = getattr(unwrap(getattr(inner, "__func__", inner)), "__code__", None)
    return code
