"""Threads of the worker itself, as against those that plugins start."""

from __future__ import annotations

import threading
from collections.abc import Callable


class ServiceThread(threading.Thread):
    """A thread without which a worker cannot serve: if it ends by an exception, the worker ends too.

    It is a daemon thread: a handler that never returns must not keep the process alive.
    """

    def __init__(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        super().__init__(target=target, name=name, args=arguments, daemon=True)
