"""What only the asyncio client has: cancellation, and that nothing is left behind in its loop."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from commscaffoldd.client import AsyncClient, ClientError, ConnectionClosed
from commscaffoldd.core.layout import PRESETS
from tests.client.frame_server import frame_server
from tests.client.scripted_server import scripted_server


@pytest.mark.parametrize("name", ["standard", "zinx"])
def test_a_call_that_is_cancelled_is_given_up(name: str) -> None:
    with scripted_server(PRESETS[name]) as server:

        async def run() -> None:
            async with AsyncClient(server.address, name, reconnect=None) as client:
                peer = server.accept()
                call = asyncio.create_task(client.call(5, b"slow"))
                await asyncio.sleep(0)
                late = await asyncio.to_thread(peer.read)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                if name == "zinx":  # its late reply would be taken for the next one's: the connection is closed
                    with pytest.raises(ConnectionClosed, match="a call was given up"):
                        await client.call(5, b"next")
                    return
                following = asyncio.create_task(client.call(5, b"next"))
                request = await asyncio.to_thread(peer.read)
                peer.reply(late, b"late")
                peer.reply(request, b"mine")
                assert await following == b"mine"

        asyncio.run(run())


def test_one_that_was_never_connected_closes_quietly() -> None:
    async def run() -> None:
        await AsyncClient("127.0.0.1:1").close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_closing_while_it_connects_leaves_nothing_behind() -> None:
    with scripted_server() as server:

        async def run() -> None:
            client = AsyncClient(server.address)
            connecting = asyncio.create_task(client.connect())
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(ConnectionClosed, match="this client is closed"):
                await connecting
            assert await asyncio.to_thread(server.accept().at_end)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            with pytest.raises(ClientError, match="not after it has been closed"):
                await client.connect()

        asyncio.run(run())


def test_it_connects_once() -> None:
    with scripted_server() as server:

        async def run() -> None:
            async with AsyncClient(server.address) as client:
                with pytest.raises(ClientError, match="a client connects once"):
                    await client.connect()

        asyncio.run(run())


def test_closing_that_is_cancelled_is_closing_all_the_same() -> None:
    with scripted_server() as server:

        async def run() -> None:
            failed: list[object] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: failed.append(context))
            client = AsyncClient(server.address)
            await client.connect()
            with contextlib.suppress(TimeoutError):
                while True:
                    await client.send(1, bytes(1 << 20), timeout=0.05)  # until nothing more goes
            (link,) = client._keeper._links
            closing = asyncio.create_task(client.close())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert await client.next_push(5) is None
            assert isinstance(await asyncio.wait_for(link.ended, 10), ConnectionClosed)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert failed == []

        asyncio.run(run())


def test_one_connection_that_is_full_keeps_no_message_from_another() -> None:
    with scripted_server() as server:

        async def run() -> None:
            async with AsyncClient(server.address, connections=2, heartbeat=None) as client:
                peers = [server.accept(), server.accept()]
                with contextlib.suppress(TimeoutError):
                    while True:
                        await client.send(2, bytes(1 << 20), timeout=0.05)  # until both are full
                call = asyncio.create_task(client.call(1, timeout=10))
                await asyncio.sleep(0)
                while (request := await asyncio.to_thread(peers[1].read)).id == 2:
                    pass
                peers[1].reply(request, b"by the second one")
                assert await call == b"by the second one"

        asyncio.run(run())


def test_a_thousand_clients_come_and_go() -> None:
    with frame_server(lambda f: PRESETS["standard"].encode(*f)) as server:

        async def run() -> None:
            loop = asyncio.get_running_loop()
            for _ in range(1000):
                async with AsyncClient(server.address) as client:
                    assert await client.call(1, b"x") == b"x"
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert not [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]

        asyncio.run(run())


@pytest.mark.parametrize("turns", range(12))
def test_cancelled_anywhere_a_call_leaves_the_client_usable(turns: int) -> None:
    """Before and while it connects anew, while it waits for a slot, for the reply, and when that is there."""
    with frame_server(lambda f: PRESETS["standard"].encode(*f)) as server:

        async def run() -> None:
            async with AsyncClient(server.address, max_in_flight=1) as client:
                calls = [asyncio.create_task(client.call(1, b"x")) for _ in range(3)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
                assert await client.call(1, b"y", timeout=5) == b"y"

        asyncio.run(run())
