"""One echo for each kind of handler, as a plugin: see `benchmarks.handler_kinds`."""

from __future__ import annotations

import asyncio

from commscaffoldd import Deferred, Request, handler


@handler(1, inline=True)
def inline(request: Request) -> bytes:
    """On the reactor's own thread."""
    return request.body


@handler(2)
def pooled(request: Request) -> bytes:
    """By a thread of the business pool."""
    return request.body


@handler(3)
async def asynchronous(request: Request) -> bytes:
    """On the event loop, and it awaits nothing."""
    return request.body


@handler(4)
async def asynchronous_once(request: Request) -> bytes:
    """The same, but other tasks have their turn in between."""
    await asyncio.sleep(0)
    return request.body


@handler(5)
def deferred(request: Request) -> Deferred:
    """Answered by what the handler has got for that, at once."""
    later = request.defer()
    later.reply(request.body)
    return later
