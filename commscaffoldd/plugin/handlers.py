"""A plugin's handlers: each `@handler` mark with its function's signature, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from commscaffoldd.core.error_text import describe
from commscaffoldd.plugin.api import HandlerMark
from commscaffoldd.plugin.errors import PluginError, one_line
from commscaffoldd.plugin.kinds import is_async, unsupported_kind
from commscaffoldd.plugin.scan import Marked
from commscaffoldd.plugin.signature import HandlerSignature, SignatureErrors, read_signature


@dataclasses.dataclass(frozen=True, slots=True)
class Handler:
    """One message ID's handler.

    Attributes:
        marked: the function.
        mark: the message ID, and how it is to run.
        signature: what the function wants and gives.
    """

    marked: Marked
    mark: HandlerMark
    signature: HandlerSignature


def read_handlers(plugin: str, marked: Marked) -> tuple[list[Handler], list[PluginError]]:
    """The handlers that a function is, one for each of its marks, and what is wrong with it."""
    handlers: list[Handler] = []
    wrong: dict[str, list[HandlerMark]] = {}  # by reason: what is wrong for each ID is said once
    for mark in marked.handlers:
        if reason := _unfit(marked, mark):
            wrong.setdefault(reason, []).append(mark)
            continue
        try:
            handlers.append(Handler(marked, mark, read_signature(marked.function, mark.format)))
        except SignatureErrors as error:
            for reason in error.reasons:
                wrong.setdefault(reason, []).append(mark)
        except Exception as error:  # noqa: BLE001  annotations are objects of the plugin's: they may do anything
            what = describe(error)
            wrong.setdefault(f"its signature cannot be read: {what}", []).append(mark)
    return handlers, [handler_error(plugin, marked, marks, reason) for reason, marks in wrong.items()]


def handler_error(plugin: str, marked: Marked, marks: Sequence[HandlerMark], reason: str) -> PluginError:
    """The error for a function as a handler, with its message IDs, file and line."""
    ids = ", ".join(str(mark.id) for mark in marks)
    text = one_line(f"handler {marked.qualname} of message ID {ids}: {reason}")
    return PluginError(plugin, text, marked.file, marked.line)


def _unfit(marked: Marked, mark: HandlerMark) -> str:
    kind = unsupported_kind(marked.function)
    if kind and mark.mode == "inline":
        return f"is {kind}, and inline: an inline handler is a plain def, since all clients wait for it"
    if mark.cancel_on_close and not is_async(marked.function):
        return "has cancel_on_close, and is not async: only what waits with await can be cancelled"
    return ""
