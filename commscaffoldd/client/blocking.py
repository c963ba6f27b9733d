"""The blocking client: many threads, one connection or several; each call gets its own reply."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self, Unpack

from commscaffoldd.client.caller import Caller
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.keeper import Keeper
from commscaffoldd.client.notify import notify
from commscaffoldd.client.push_queue import PushQueue
from commscaffoldd.client.settings import AnyLayout, Options, Settings, read_layout
from commscaffoldd.core.address import Address


class Client(Caller):
    """A client for any number of threads; a context manager, which closes it.

        with Client("127.0.0.1:9000") as client:
            assert client.call(1, b"hello") == b"hello"

    It has a thread for each connection, which receives. It does not survive a fork: make one in each process.
    """

    def __init__(self, address: Address | str, layout: AnyLayout = "standard", **options: Unpack[Options]) -> None:
        """Connect.

        Args:
            address: `host:port`, `[v6]:port` or `unix:/path`.
            layout: a preset's name, a `Layout`, or what the configuration has in `[layout.NAME]`: the table, or only
                its `fields`.
            options: see `Settings`.

        Raises:
            ValueError: not an address, not a layout, an option that cannot be.
            OSError: it cannot be reached (TimeoutError, ConnectionRefusedError, ssl.SSLError, ...).
            Exception: what `on_connect` raises; ErrorReply, say, for a login that is refused.
        """
        where = Address.parse(address) if isinstance(address, str) else address
        settings = Settings(address=where, layout=read_layout(layout), **options)
        self._pushes = PushQueue(settings.push_queue)
        self._keeper = Keeper(settings, self._take_push)
        super().__init__(settings, self._keeper)
        self._keeper.start()

    def __enter__(self) -> Self:
        """Itself, connected."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close all connections; calls in flight raise ConnectionClosed. Closing twice does nothing."""
        if self._process == os.getpid():  # else the threads do not exist here, and who holds the locks neither
            self._keeper.close()
            self._pushes.close()

    @property
    def pushes_dropped(self) -> int:
        """Pushes that nobody took in time."""
        return self._pushes.dropped

    def pushes(self) -> Iterator[Push]:
        """Pushes, as they come, until the client is closed. Each goes to one of those who iterate."""
        while (push := self.next_push()) is not None:
            yield push

    def next_push(self, timeout: float | None = None) -> Push | None:
        """The next push; `None` once the client is closed.

        Raises:
            TimeoutError: none within so many seconds.
            ValueError: pushes go to `on_push`.
        """
        if self._settings.on_push is not None:
            raise ValueError("this client's pushes go to on_push")
        self._check_process()
        return self._pushes.get(timeout)

    def _take_push(self, push: Push) -> None:
        if self._settings.on_push is None:
            self._pushes.put(push)
            return
        notify(self._settings.on_push, push, f"on_push of the client of {self._settings.address}")
