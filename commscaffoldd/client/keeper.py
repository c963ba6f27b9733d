"""Keeps the blocking client connected: as many links as it shall have, each with a thread that receives.

Each link has a place. When it ends, its thread connects anew for the same place, with back-off. When the daemon says
*go away*, another thread takes the place over, and the old link goes on until nothing is waited for there.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Final

from commscaffoldd.client.backoff import Backoff, Reconnect
from commscaffoldd.client.channel import Channel
from commscaffoldd.client.connecting import why_not
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.errors import ClientError, ConnectionClosed
from commscaffoldd.client.handshake import Handshake, OneLink
from commscaffoldd.client.link import Link
from commscaffoldd.client.notify import notify
from commscaffoldd.client.on_connect import failed, is_final, log_mistake, not_the_client
from commscaffoldd.client.opening import discard, open_all
from commscaffoldd.client.settings import Settings, State, StateChange

GOOD_AFTER: Final = 1.0
"""Seconds after which a connection is good: once it ends, the first delay is a short one again."""
_FAR: Final = 3600.0  # seconds between looks of a thread that nothing is due for
_JOIN: Final = 2.0  # seconds that closing waits for the threads; one that is connecting ends by itself later


class Keeper:
    """See the module's text. Any thread."""

    def __init__(self, settings: Settings, on_push: Callable[[Push], object]) -> None:
        self._settings = settings
        self._reconnect = settings.reconnect
        self._on_push = on_push
        self._context = settings.tls_context()
        self._changed = threading.Condition()  # guards all below
        self._usable: tuple[Link, ...] = ()  # replaced, never changed: `link` reads it without the lock
        self._places: dict[int, Link | None] = dict.fromkeys(range(settings.connections))
        self._backoffs = {place: Backoff(settings.reconnect or Reconnect()) for place in self._places}
        self._links: set[Link] = set()  # those that are leaving, too
        self._threads: set[threading.Thread] = set()
        self._closed = False
        self._why = ""  # why the last link ended, or could not be had

    def start(self) -> None:
        """Connect all, and go on with it. Raises OSError: it cannot be reached; and what `on_connect` raises."""
        links = open_all(self._open, self._places)
        handshakes = [self._handshake(place, link) for place, link in enumerate(links)]
        try:
            for place, (link, handshake) in enumerate(zip(links, handshakes, strict=True)):
                self._begin(place, link, handshake)
            for handshake in handshakes:
                if handshake is not None and (failure := handshake.outcome()) is not None:
                    raise failure
        except BaseException:  # no thread could be had, or Ctrl-C
            self.close()
            discard(links, "the client could not be made")
            raise

    def check_thread(self) -> None:
        """Raises ClientError in one of its own threads: a callback is being called, and must not wait for a reply."""
        self.check_sender()
        self.check_receiver()

    def check_sender(self) -> None:
        """Raises ClientError in the thread of an `on_connect`, for whose end a link would be waited."""
        if self._settings.on_connect is not None:
            current = threading.current_thread()
            if isinstance(current, Handshake) and current.is_of(self._settings):
                raise not_the_client(self._settings)

    def check_receiver(self) -> None:
        """Raises ClientError in a thread that receives."""
        if threading.current_thread() in self._threads:
            raise ClientError(
                f"{self._settings.address}: on_push and on_state cannot wait for a reply, for the thread that calls "
                "them is the one that receives; use send, or call from a thread of your own"
            )

    def link(self, deadline: float) -> Link:
        """The link with the fewest calls in flight; waits for one.

        Raises:
            TimeoutError: there was none before the deadline (`time.monotonic`).
            ConnectionClosed: there will be none.
        """
        usable = self._usable
        if len(usable) == 1:
            return usable[0]
        if usable:
            return min(usable, key=lambda link: link.in_flight)
        return self._wait_for_link(deadline)

    def retire(self, link: Link) -> None:
        """This one takes no more calls; its thread may not have noticed yet."""
        with self._changed:
            self._usable = tuple(one for one in self._usable if one is not link)

    def close(self) -> None:
        """End all links and their threads."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._usable = ()
            links, threads = list(self._links), list(self._threads)
            self._changed.notify_all()
        for link in links:
            link.end(ConnectionClosed(f"{self._settings.address}: this client is closed"))
        deadline = time.monotonic() + _JOIN
        for thread in threads:
            if thread is not threading.current_thread():  # a callback may close
                thread.join(max(0.0, deadline - time.monotonic()))
        for place in self._places:
            self._tell("closed", place)

    # -- the threads ---------------------------------------------------------------------------------------

    def _begin(self, place: int, link: Link | None = None, handshake: Handshake | None = None) -> None:
        name = f"commscaffoldd client {self._settings.address}"
        thread = threading.Thread(target=self._keep, args=(place, link, handshake), name=name, daemon=True)
        with self._changed:
            if self._closed:
                return
            if link is not None:
                self._adopt(place, link)
                if handshake is None:
                    self._use(link)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads
                self._threads.discard(thread)
                raise
        if handshake is not None:
            handshake.begin()

    def _keep(self, place: int, link: Link | None, handshake: Handshake | None) -> None:
        first = link is not None
        try:
            if link is not None and handshake is None:
                self._tell("connected", place)
            while True:
                if link is None:
                    link = self._connect(place)
                    if link is None:
                        return
                    handshake = self._handshake(place, link)
                    link.prove(functools.partial(self._proved, place, handshake))
                ended = link.run()
                if not self._drop(place, link, ended):
                    return
                failure = None if handshake is None else handshake.outcome()
                if failure is not None and not self._may_try_again(failure, first=first):
                    self._give_up(place)
                    return
                self._tell("lost", place, self._why)
                link, first = None, False
        except BaseException as error:  # calls shall not wait for what will not come
            self._why = f"the client's thread has failed: {error!r}"
            self._give_up(place)
            raise
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())

    def _connect(self, place: int) -> Link | None:
        """A new link, adopted; `None` if there will be none."""
        while True:
            delay = self._backoffs[place].next() if self._reconnect is not None else None
            if delay is None:
                self._give_up(place)
                return None
            self._tell("waiting", place, self._why, delay)
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, delay):
                    return None
            try:
                link = self._open(place)
            except OSError as error:
                self._why = f"cannot connect: {why_not(error)}"
                continue
            with self._changed:
                if not self._closed:
                    self._adopt(place, link)
                    return link
            discard([link], "this client is closed")

    def _open(self, place: int) -> Link:
        settings = self._settings
        channel = Channel.open(settings, self._context, (settings.heartbeat or _FAR) / 2)
        conversation = settings.conversation(time.monotonic())
        return Link(channel, conversation, self._on_push, lambda link: self._replace(place, link))

    def _handshake(self, place: int, link: Link) -> Handshake | None:
        """What is still to be done on a new link; `None`: nothing."""
        if self._settings.on_connect is None:
            return None

        def done(failure: BaseException | None) -> None:
            if failure is None:
                self._offer(place, link)
            else:
                link.end(failed(self._settings, failure))

        links = OneLink(self._settings, link, self.check_receiver)
        return Handshake(self._settings, links, self._settings.on_connect, done)

    def _proved(self, place: int, handshake: Handshake | None, link: Link) -> None:
        """There is somebody at the other end."""
        if handshake is None:
            self._offer(place, link)
        else:
            handshake.begin()

    def _may_try_again(self, failure: BaseException, *, first: bool) -> bool:
        """Whether `on_connect`, which has failed so, may do better on another connection."""
        self._why = str(failed(self._settings, failure))
        if first:  # `start` raises it
            return False
        log_mistake(self._settings, failure)
        return not is_final(failure)

    def _adopt(self, place: int, link: Link) -> None:
        """With the lock."""
        self._places[place] = link
        self._links.add(link)

    def _use(self, link: Link) -> None:
        """With the lock."""
        link.taken_at = time.monotonic()
        self._usable = (*self._usable, link)

    def _offer(self, place: int, link: Link) -> None:
        """Calls may go there."""
        with self._changed:
            if self._closed or not link.usable:  # what ends its use takes it away after this, under the lock
                return
            self._use(link)
            self._changed.notify_all()
        self._tell("connected", place)

    def _replace(self, place: int, link: Link) -> None:
        """The daemon said *go away* to this one."""
        self.retire(link)
        self._why = "the daemon said go away"
        self._tell("leaving", place, self._why)
        self._judge(place, link)
        if self._reconnect is not None:
            with self._changed:
                self._places[place] = None
            self._begin(place)

    def _drop(self, place: int, link: Link, ended: ClientError) -> bool:
        """A link has ended. Give whether its thread shall find another one for the place."""
        self.retire(link)
        with self._changed:
            self._links.discard(link)
            if self._closed or self._places.get(place) is not link:
                return False
            self._places[place] = None
            self._why = str(ended)
        self._judge(place, link)
        return True

    def _judge(self, place: int, link: Link) -> None:
        """Was it a good connection? Then what has ended it is not of the kind that will end the next one at once."""
        if time.monotonic() - link.taken_at >= GOOD_AFTER:
            self._backoffs[place].reset()

    def _give_up(self, place: int) -> None:
        with self._changed:
            self._places.pop(place, None)
            self._changed.notify_all()
        self._tell("failed", place, self._why)

    def _wait_for_link(self, deadline: float) -> Link:
        address = self._settings.address
        with self._changed:
            while not self._usable:
                if self._closed:
                    raise ConnectionClosed(f"{address}: this client is closed")
                if not self._places or self._reconnect is None:
                    raise ConnectionClosed(self._why if str(address) in self._why else f"{address}: {self._why}")
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError(f"{address}: not connected in time; last: {self._why or 'still connecting'}")
            return min(self._usable, key=lambda link: link.in_flight)

    def _tell(self, state: State, place: int, reason: str = "", delay: float = 0.0) -> None:
        if self._settings.on_state is not None:
            change = StateChange(state, place, reason, delay)
            notify(self._settings.on_state, change, f"on_state of the client of {self._settings.address}")
