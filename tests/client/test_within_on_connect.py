"""What may be done within `on_connect`, and with what it is given."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from commscaffoldd.client import AsyncClient, Client, ClientError
from tests.client.both import AnyCaller, AnyClient, Open, each_client
from tests.client.opened import Opened
from tests.client.scripted_server import scripted_server
from tests.client.test_reconnecting import SOON


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


@each_client
def test_the_client_itself_is_refused_in_it(connect: Open, pool: ThreadPoolExecutor) -> None:
    clients: queue.SimpleQueue[AnyClient] = queue.SimpleQueue()
    errors: queue.SimpleQueue[str] = queue.SimpleQueue()
    first = threading.Event()

    def use_the_client(_: AnyCaller) -> None:
        if not first.is_set():
            first.set()
            return
        client = clients.get(timeout=10)
        for use in (client.call, client.send, client.stream):
            try:
                use(1)
            except ClientError as error:
                errors.put(str(error))

    with (
        scripted_server() as server,
        Opened(pool, connect, server, on_connect=use_the_client, reconnect=SOON) as opened,
    ):
        peer = server.accept()
        clients.put(opened.client())
        peer.close()
        peer = server.accept()
        call = opened.client().begin(1, b"from elsewhere")
        request = peer.read()
        assert request.body == b"from elsewhere"
        peer.reply(request, b"")
        assert call.result(10) == b""
        for _ in range(3):
            assert "within on_connect the client cannot be used" in errors.get(timeout=1)


@each_client
def test_what_it_was_given_ends_with_it(connect: Open, pool: ThreadPoolExecutor) -> None:
    kept: queue.SimpleQueue[AnyCaller] = queue.SimpleQueue()
    with scripted_server() as server, Opened(pool, connect, server, on_connect=kept.put) as opened:
        opened.client()
        with pytest.raises(ClientError, match="on_connect is over"):
            kept.get(timeout=1).call(1)


def test_each_client_needs_its_own_kind_of_function() -> None:
    async def coroutine_function(_: object) -> None: ...

    async def use(address: str) -> None:
        await AsyncClient(address, on_connect=lambda _: None).connect()  # type: ignore[arg-type,return-value]

    with scripted_server() as server:
        with pytest.raises(TypeError, match="those are for AsyncClient"):
            Client(server.address, on_connect=coroutine_function)
        with pytest.raises(TypeError, match="no coroutine function, which AsyncClient needs"):
            asyncio.run(use(server.address))
