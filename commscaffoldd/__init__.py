"""commscaffoldd: a standalone daemon that serves custom binary protocols over TCP.

What a plugin needs is imported from here: `from commscaffoldd import handler, hookimpl`.
"""

from commscaffoldd.codecs import codec
from commscaffoldd.core.connection import Connection
from commscaffoldd.core.deferred import Deferred
from commscaffoldd.core.refusal import Refuse
from commscaffoldd.core.request import Request
from commscaffoldd.plugin.api import WorkerInfo, handler, hookimpl
from commscaffoldd.plugin.middleware import middleware
from commscaffoldd.plugin.timers import every
from commscaffoldd.version import __version__

__all__ = [
    "Connection",
    "Deferred",
    "Refuse",
    "Request",
    "WorkerInfo",
    "__version__",
    "codec",
    "every",
    "handler",
    "hookimpl",
    "middleware",
]
