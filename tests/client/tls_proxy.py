"""A proxy that speaks TLS with clients and plain TCP with a server, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator

import trustme


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
    finally:
        writer.transport.abort()


async def _serve(address: str, context: ssl.SSLContext, started: asyncio.Future[int]) -> None:
    host, _, port = address.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_us = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_carry(reader, from_us), _carry(to_server, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    started.set_result(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


@contextlib.contextmanager
def tls_before(address: str, authority: trustme.CA, name: str) -> Iterator[str]:
    """The address of a proxy, which has a certificate for this name, before a server at this address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # clients that are refused
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> tuple[int, asyncio.Task[None]]:
        started: asyncio.Future[int] = loop.create_future()
        task = loop.create_task(_serve(address, context, started))
        return await started, task

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # aborted transports close in the loop's next turns
            await asyncio.sleep(0)

    try:
        port, _ = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        yield f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
