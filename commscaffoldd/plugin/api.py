"""What a plugin's author imports: `handler` and `hookimpl`, and what a plugin is told about its worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final, TypeVar

import pluggy

from commscaffoldd.codecs.base import FORMATS, Format
from commscaffoldd.core.route import Mode
from commscaffoldd.plugin.marks import leave_mark, target_of

PROJECT: Final = "commscaffoldd"
"""pluggy's project name: hook marks are the attributes commscaffoldd_impl and commscaffoldd_spec."""

HANDLER_MARK: Final = "commscaffoldd_handlers"
"""The attribute in which `handler` leaves a tuple of `HandlerMark`."""

MAX_ID: Final = 2**64 - 1
LONGEST_TIMEOUT: Final = 86400 * 365  # seconds; that of the configuration

hookimpl: Final = pluggy.HookimplMarker(PROJECT)
"""Marks a function or method as the implementation of the hook whose name it bears."""

HandlerFunction = TypeVar("HandlerFunction", bound=Callable[..., object])


@dataclasses.dataclass(frozen=True, slots=True)
class HandlerMark:
    """One `@handler` on a function: the message ID, where the function is to run, and for how long it may.

    `timeout` is in seconds; 0: for ever, `None`: as is configured. `format` is that of bodies and replies whose types
    have no encoding of their own.
    `open`: also before the login. `cancel_on_close`: an async one ends with its connection.
    """

    id: int
    mode: Mode
    timeout: float | None = None
    format: Format | None = None
    open: bool = False
    cancel_on_close: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What the hooks `worker_started` and `worker_stopping` are told.

    Attributes:
        number: the worker's number, from 1; a replacement has the number of the one it replaces. 0 in a canary.
        pid: the worker's process ID.
        canary: whether this is no worker but a canary, which plays a capture through the handlers before a reload
            (`reload --replay`): the place to use a scratch database, and to call nobody outside.
    """

    number: int
    pid: int
    canary: bool = False


def handler(
    message_id: int,
    /,
    *,
    inline: bool = False,
    concurrent: bool = False,
    timeout: float | None = None,
    format: Format | None = None,  # noqa: A002  it is the word for it
    cancel_on_close: bool = False,
    open: bool = False,  # noqa: A002  # the field's word, and nobody opens a file in here
) -> Callable[[HandlerFunction], HandlerFunction]:
    """Make a function the handler of a message ID; put several on one function for several IDs.

    The function's first parameter is the request. One named `body` is the message's body, decoded as its annotation
    says; others are given what their annotation names (docs/plugins.md). It returns a reply, encoded as the return
    annotation says and without one `bytes`, or `None` for none; or it yields several. It stays callable as before.
    Without options a plain function runs in a pool thread and an `async def` on the worker's event loop, in order
    with its connection's other messages.

    Args:
        message_id: 1 to 2**64-1; the layout in use may allow fewer.
        inline: run on the reactor's own thread. For microseconds only: all clients of the worker wait
            meanwhile.
        concurrent: run without waiting for the connection's earlier messages.
        timeout: seconds; the client of a message whose handler runs longer is told so, and what the handler returns
            after that is dropped. 0: never, `None`: `business.handler_timeout` of the configuration.
        format: "msgpack" (as without it) or "json": how bodies and replies travel whose types have no encoding of
            their own.
        cancel_on_close: cancel an `async def` when its connection ends, or begins to: the client has gone or sends no
            more, a plugin has closed it, the worker stops.
        open: clients who have not logged in may send it, too. As soon as one handler of any plugin is open, the
            others' messages are refused with error 7 until a plugin has called `connection.authenticate`.

    Raises:
        TypeError: the message ID is not an int, the timeout is no number, a flag is no bool, or what is decorated
            cannot be a handler.
        ValueError: the message ID or the timeout is out of range, the ID is there twice, both modes are given, or
            there is no such format.
    """
    _check_id(message_id)
    flags = {"inline": inline, "concurrent": concurrent, "cancel_on_close": cancel_on_close, "open": open}
    for name, flag in flags.items():
        if not isinstance(flag, bool):  # open="no" would be open
            raise TypeError(f"handler({message_id}, {name}={flag!r}): {name} is True or False")
    if inline and concurrent:
        raise ValueError(
            f"handler({message_id}): inline=True and concurrent=True exclude each other: an inline handler "
            "runs on the reactor, a concurrent one in the pool"
        )
    _check_timeout(message_id, timeout)
    if format is not None and format not in FORMATS:
        raise ValueError(f"handler({message_id}, format={format!r}): a format is {' or '.join(map(repr, FORMATS))}")
    mode: Mode = "inline" if inline else "concurrent" if concurrent else "pool"
    mark = HandlerMark(message_id, mode, timeout, format, open, cancel_on_close)

    def decorate(function: HandlerFunction) -> HandlerFunction:
        marked = target_of(function)
        if marked is None:
            raise TypeError(f"@handler({message_id}) belongs on a function or method, not on {_a(function)}")
        marks: tuple[HandlerMark, ...] = getattr(marked, HANDLER_MARK, ())
        if any(other.id == message_id for other in marks):
            raise ValueError(f"@handler({message_id}) is there twice")
        leave_mark(f"@handler({message_id})", function, HANDLER_MARK, (mark, *marks))
        return function

    return decorate


def _check_id(message_id: object) -> None:
    if callable(message_id):
        raise TypeError("@handler needs the message ID: write @handler(1001)")
    if not isinstance(message_id, int) or isinstance(message_id, bool):
        raise TypeError(f"handler({message_id!r}): a message ID is an int from 1 to {MAX_ID}")
    if message_id == 0:
        raise ValueError(f"handler(0): ID 0 is the heartbeat, which the daemon answers; take 1 to {MAX_ID}")
    if not 1 <= message_id <= MAX_ID:
        raise ValueError(f"handler({message_id}): a message ID is an int from 1 to {MAX_ID}")


def _check_timeout(message_id: int, timeout: object) -> None:
    if timeout is None:
        return
    allowed = f"seconds from 0 (never) to {LONGEST_TIMEOUT:,}"
    if not isinstance(timeout, int | float) or isinstance(timeout, bool):
        raise TypeError(f"handler({message_id}, timeout={timeout!r}): a timeout is {allowed}")
    if not 0 <= timeout <= LONGEST_TIMEOUT:  # not a number is outside, too
        raise ValueError(f"handler({message_id}, timeout={timeout!r}): a timeout is {allowed}")


def _a(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"a {type(thing).__name__}"
