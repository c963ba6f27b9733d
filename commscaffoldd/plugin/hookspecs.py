"""The hooks a plugin may implement, with `@hookimpl` on a function or method of the same name.

An implementation takes those of the named arguments that it needs. `settings` is always the plugin's own
`[plugin.NAME]` table: as the Struct that the parameter is annotated with, or as a dict, empty where the configuration
has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pluggy

from commscaffoldd.core.connection import Connection
from commscaffoldd.plugin.api import PROJECT, WorkerInfo

_hookspec = pluggy.HookspecMarker(PROJECT)


@_hookspec
def create_plugin(settings: Mapping[str, Any]) -> object:
    """Make the object that holds the plugin's state, with `@handler` and `@hookimpl` methods.

    Called once in every worker and in the canary, after the fork and before there are threads. Raising
    refuses to start, with the exception's text: the place to check settings. Keep outward effects for
    `worker_started`. Only as a function of a module. Returning None is allowed, and gives no object.
    """


@_hookspec
def self_test(settings: Mapping[str, Any]) -> None:
    """Raise if this plugin could not work: `reload`, `upgrade` and `check` then refuse, with the text.

    Called after `create_plugin`, in the canary or worker, by the only thread. Should change nothing:
    `check` may be run by another user than the daemon.
    """


@_hookspec
def worker_started(worker: WorkerInfo, settings: Mapping[str, Any]) -> object:
    """The worker is about to accept its first connection. Raising is a failed start. On the main thread.

    What the return annotation names, and is returned, is given to handlers, middleware, timers and later hooks whose
    parameters have that annotation. It may be `async def`: then it runs on the event loop.

    Also in a canary that plays a capture (`reload --replay`), with `worker.canary` set: its handlers are called next.
    """


@_hookspec
def worker_stopping(worker: WorkerInfo) -> None:
    """The worker's last handler has returned. On the main thread; if it is `async def`, on the event loop."""


@_hookspec
def connection_opened(connection: Connection) -> None:
    """A client has connected. In a pool thread, before the connection's first message."""


@_hookspec
def connection_handing_over(connection: Connection) -> None:
    """Another worker process is about to go on with this connection: a reload, say. The client notices nothing.

    In a pool thread, after the last handler of that connection here has returned. What shall go along must be in
    `connection.session` then, as plain data. Here the connection is forgotten after this; `connection_closed` is not
    called. Should it have to stay after all, `connection_adopted` follows, in this worker.
    """


@_hookspec
def connection_adopted(connection: Connection) -> None:
    """This worker goes on with a connection that another one has had; `connection.session` has come along.

    In a pool thread, before the first of its messages that is handled here; instead of `connection_opened`.
    """


@_hookspec
def connection_closed(connection: Connection, reason: str) -> None:
    """A client has gone. In a pool thread, after the last handler of that connection has returned."""
