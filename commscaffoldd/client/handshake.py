"""What a program does first on each new connection: `on_connect`, in a thread of its own, and within a time.

A thread of its own, since the connection's thread receives the replies that it waits for.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable

from commscaffoldd.client.caller import Caller
from commscaffoldd.client.link import Link
from commscaffoldd.client.on_connect import for_one_connection, over, too_slow
from commscaffoldd.client.settings import Settings


class OneLink:
    """The one link that `on_connect` calls on, as long as it goes on."""

    def __init__(self, settings: Settings, link: Link, check_thread: Callable[[], None]) -> None:
        self._settings = settings
        self._link = link
        self._check_thread = check_thread
        self._over = False

    def check_thread(self) -> None:
        """See `Links`: the threads that receive are the client's."""
        self._check_thread()

    def check_sender(self) -> None:
        """See `Links`."""

    def link(self, deadline: float) -> Link:  # noqa: ARG002  # it is there
        """The link. Raises ClientError once `on_connect` is over."""
        if self._over:
            raise over(self._settings)
        return self._link

    def retire(self, link: Link) -> None:
        """See `Links`: there is no other."""

    def close(self) -> None:
        """It is over."""
        self._over = True


class Handshake(threading.Thread):
    """One call of `on_connect`, and the thread that makes it."""

    def __init__(
        self,
        settings: Settings,
        links: OneLink,
        on_connect: Callable[[Caller], object],
        on_done: Callable[[BaseException | None], object],
    ) -> None:
        """`begin` it.

        Args:
            settings: the client's.
            links: the new connection.
            on_connect: the program's function.
            on_done: called once, with why it has failed, or `None`; by whichever thread knows.
        """
        super().__init__(name=f"commscaffoldd on_connect {settings.address}", daemon=True)
        self._settings = settings
        self._links = links
        self._on_connect = on_connect
        self._on_done = on_done
        self._settling = threading.Lock()  # whoever gets it settles; it is never given back
        self._done = threading.Event()
        self._begun = False
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Call it. Raises RuntimeError: the system has no more threads."""
        self._begun = True
        self.start()

    def is_of(self, settings: Settings) -> bool:
        """Whether it is of the client with these very settings."""
        return self._settings is settings

    def outcome(self) -> BaseException | None:
        """Waits for its end, or for the end of its time: why it has failed. `None` if not, or if it was not begun."""
        if self._begun:
            self._done.wait()
        return self._failure

    def run(self) -> None:
        """The thread."""
        seconds = self._settings.seconds_to_connect
        timer = threading.Timer(seconds, self._settle, [too_slow(self._settings)])
        timer.daemon = True
        timer.start()
        failure: BaseException | None = None
        try:
            result = self._on_connect(Caller(for_one_connection(self._settings), self._links))
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError("on_connect is a coroutine function; those are for AsyncClient")
        except BaseException as error:  # noqa: BLE001  # sys.exit(), too, must not leave calls waiting
            failure = error
        finally:
            timer.cancel()
        self._settle(failure)

    def _settle(self, failure: BaseException | None) -> None:
        if not self._settling.acquire(blocking=False):
            return
        self._links.close()
        self._failure = failure
        try:
            self._on_done(failure)
        finally:
            self._done.set()
