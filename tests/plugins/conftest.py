from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from commscaffoldd import Connection, Request
from commscaffoldd.plugin.host import PluginHost, WorkerInfo, load_plugins

PLUGINS = Path(__file__).parent.parent.parent / "plugins"
ALL = {"account", "chat", "echo"}


class Client:
    """A connection without a client behind it: notes what it is sent."""

    def __init__(self, connection_id: str) -> None:
        self.id = connection_id
        self.peer = "192.0.2.7:51234"
        self.session: dict[str, Any] = {}
        self.sent: list[tuple[int, bytes]] = []

    def send(self, message_id: int, body: bytes) -> bool:
        self.sent.append((message_id, body))
        return True


class Worker:
    """One plugin, loaded as a worker loads it."""

    def __init__(self, host: PluginHost) -> None:
        self.host = host

    def ask(self, client: Client, message_id: int, body: bytes) -> bytes:
        """What the plugin answers to a message."""
        route = self.host.routes[message_id]
        request = Request(connection=cast("Connection", client), id=message_id, sequence=1, body=body, route=route)
        reply = route.function(request)
        assert isinstance(reply, bytes)
        return reply

    def gone(self, client: Client) -> None:
        """What the daemon does once a client has gone."""
        assert self.host.connection_closed is not None
        self.host.connection_closed(cast("Connection", client), "peer closed")

    def moved(self, hook: str, client: Client) -> None:
        """What the daemon does when a client moves from one worker to another."""
        call = getattr(self.host, hook)
        assert call is not None
        call(cast("Connection", client))


@pytest.fixture
def worker() -> Iterator[Callable[..., Worker]]:
    """Start a worker with only the named plugin and the given settings; it is stopped at the end."""
    started: list[PluginHost] = []

    def start(name: str, settings: Mapping[str, Any] | None = None) -> Worker:
        host = load_plugins([PLUGINS], ALL - {name}, {name: settings or {}})
        host.self_test()
        host.worker_started(WorkerInfo(len(started) + 1, 4711))
        started.append(host)
        return Worker(host)

    yield start
    for host in started:
        host.worker_stopping(WorkerInfo(1, 4711))
