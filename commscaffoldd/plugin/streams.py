"""Handlers that yield: each value is a reply, sent at once, and no faster than the client reads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final

from commscaffoldd.plugin.replies import Finish

PAUSE: Final = 0.02  # seconds between looks at whether a client that was behind has read


def stream(function: Callable[..., Generator[Any, Any, Any]], finish: Finish | None) -> Callable[..., None]:
    """A generator function as one that sends what it yields. `None` is sent as nothing.

    It ends early, and the generator is closed, when the client is gone or its handler has been given up.
    """

    def run(request: Any, *given: Any, **named: Any) -> None:  # noqa: ANN401  see `binding.Function`
        connection = request.connection
        with contextlib.closing(function(request, *given, **named)) as parts:
            for part in parts:
                body = part if finish is None else finish(part)
                if body is not None and not request.reply(body):
                    return
                while connection.behind and connection.is_open:
                    time.sleep(PAUSE)

    return run


def async_stream(function: Callable[..., AsyncGenerator[Any, Any]], finish: Finish | None) -> Callable[..., Any]:
    """The same for an asynchronous generator function."""

    async def run(request: Any, *given: Any, **named: Any) -> None:  # noqa: ANN401
        connection = request.connection
        async with contextlib.aclosing(function(request, *given, **named)) as parts:
            async for part in parts:
                body = part if finish is None else finish(part)
                if body is not None and not request.reply(body):
                    return
                # The sender's thread makes room, and tells nobody.
                while connection.behind and connection.is_open:  # noqa: ASYNC110
                    await asyncio.sleep(PAUSE)

    return run
