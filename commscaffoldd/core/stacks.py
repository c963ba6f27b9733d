"""Where a thread is, or what a coroutine waits for: its Python stack as text, from the handler that it runs on."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from inspect import unwrap
from types import CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

DEEPEST: Final = 100  # frames of a coroutine; one that recurses has more


def frames_of(thread: int) -> list[FrameType]:
    """The frames of a thread, the innermost one first; empty if it has ended."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001  # there is no other way, and it is documented
    return [one for one, _ in traceback.walk_stack(frame)] if frame is not None else []


def stack_of(thread: int, handler: Callable[[Any], object] | None) -> str:
    """The lines of a thread's stack, the innermost call last.

    Args:
        thread: its identifier, as `threading.get_ident` gives it.
        handler: what lies below its frame is left out; all is shown if it has none, as what is written in C, and
            if there is no handler.
    """
    try:
        return _stack_of(thread, handler)
    except Exception as error:  # noqa: BLE001  # the code is a plugin's, and so is what finds its source and its wrappers
        return _unknown(error)


def stack_of_awaitable(awaitable: object) -> str:
    """The lines of a suspended coroutine's stack, the innermost call last; empty if it is nothing that has one.

    Any thread: what it looks at may go on meanwhile. asyncio's own `Task.get_stack` gives the outermost call only.
    """
    try:
        return _format(_frames_of(awaitable))
    except Exception as error:  # noqa: BLE001  # see `stack_of`
        return _unknown(error)


def _unknown(error: Exception) -> str:
    return f"(its stack cannot be shown: {type(error).__name__}: {error})"


def _frames_of(awaitable: object) -> Iterator[tuple[FrameType, int]]:
    for _ in range(DEEPEST):
        frame, inner = _step_into(awaitable)
        if frame is None:
            return
        yield frame, frame.f_lineno
        awaitable = inner


def _step_into(awaitable: object) -> tuple[FrameType | None, object]:
    """A coroutine's or generator's frame, and what it waits for."""
    if isinstance(awaitable, CoroutineType):
        return awaitable.cr_frame, awaitable.cr_await
    if isinstance(awaitable, GeneratorType):
        return awaitable.gi_frame, awaitable.gi_yieldfrom
    if isinstance(awaitable, asyncio.Task):
        return _step_into(awaitable.get_coro())
    return None, None


def _format(frames: Iterable[tuple[FrameType, int]]) -> str:
    return "".join(traceback.StackSummary.extract(iter(frames)).format()).rstrip("\n")


def _stack_of(thread: int, handler: Callable[[Any], object] | None) -> str:
    frames = frames_of(thread)
    if not frames:
        return "(the thread has ended)"
    code = _code_of(handler)
    depth = max((index for index, one in enumerate(frames) if one.f_code is code), default=len(frames) - 1)
    return _format((one, one.f_lineno) for one in reversed(frames[: depth + 1]))


def _code_of(function: object) -> CodeType | None:
    inner: Any = unwrap(function)  # type: ignore[arg-type]  # it takes anything
    code: CodeType | None = getattr(unwrap(getattr(inner, "__func__", inner)), "__code__", None)
    return code
