"""The handlers of the benchmarks as a plugin: the same functions that the other servers call, in both modes."""

from __future__ import annotations

from benchmarks.servers import handlers
from commscaffoldd import Request, handler


@handler(1, inline=True)
def echo_inline(request: Request) -> bytes:
    """The body comes back, on the reactor's own thread."""
    return request.body


@handler(2)
def echo_pooled(request: Request) -> bytes:
    """The body comes back, by a thread of the business pool."""
    return request.body


@handler(3)
def compute_pooled(request: Request) -> bytes:
    """5 ms of computing by a thread of the business pool."""
    return handlers.compute(request)


@handler(4, inline=True)
def compute_inline(request: Request) -> bytes:
    """5 ms of computing on the reactor's own thread, which no plugin should do."""
    return handlers.compute(request)
