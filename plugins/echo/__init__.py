"""Echo: the shortest plugin there is, and a yardstick for both ways to run a handler."""

from __future__ import annotations

from commscaffoldd import Request, handler


@handler(1)
def echo(request: Request) -> bytes:
    """The body comes back; handled in a pool thread."""
    return request.body


@handler(2, inline=True)
def echo_inline(request: Request) -> bytes:
    """The body comes back; handled on the reactor's own thread."""
    return request.body
