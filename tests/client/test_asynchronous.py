"""What only the asyncio client has: cancellation, and that nothing is left behind in its loop."""

from __future__ import annotations

import asyncio

import pytest

from commscaffoldd.client import AsyncClient, ConnectionClosed
from commscaffoldd.core.layout import PRESETS
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
