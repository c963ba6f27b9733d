"""A client that another thread makes, for tests whose server answers while it connects."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from tests.client.both import AnyClient, Open
from tests.client.scripted_server import ScriptedServer


class Opened:
    """A client that another thread makes, since it waits for what the test's server says, until the test has it."""

    def __init__(self, pool: ThreadPoolExecutor, connect: Open, server: ScriptedServer, **options: Any) -> None:
        self.made: Future[AnyClient] = Future()
        self._enough = threading.Event()
        self._life = pool.submit(self._live, connect, server.address, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._life.result(20)

    def client(self) -> AnyClient:
        return self.made.result(10)

    def failure(self) -> BaseException | None:
        return self.made.exception(10)

    def _live(self, connect: Open, address: str, options: Any) -> None:
        try:
            with connect(address, **options) as client:
                self.made.set_result(client)
                self._enough.wait(30)
        except Exception as error:
            if self.made.done():
                raise
            self.made.set_exception(error)
