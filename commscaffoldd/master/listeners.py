"""The listening sockets of one configuration, opened anew or taken over from the configuration before."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from commscaffoldd.config.schema import Listen
from commscaffoldd.core.address import Address, systemd_name
from commscaffoldd.master.activation import PassedError
from commscaffoldd.master.listen_errors import (
    CONFIGURATION,
    FAILURE,
    ListenError,
    ListenErrors,
    describe,
    is_in_use,
)
from commscaffoldd.master.listener import SHARED, Key, Listener
from commscaffoldd.master.privileges import Identity
from commscaffoldd.master.service_manager import ServiceManager

LOG = logging.getLogger(__name__)

_RETRY: Final = 0.05  # seconds
_AFTER_DROP: Final = 2.0  # seconds that the service manager may need to close what it is told to forget


class ListenerSet:
    """All listeners of one configuration.

    A set is opened either with the service manager that started the daemon, or after another set, whose manager it
    then has.
    """

    def __init__(self, listeners: Iterable[Listener], manager: ServiceManager | None = None) -> None:
        self._listeners = list(listeners)
        self.manager = manager or ServiceManager.nobody()

    @classmethod
    def open(
        cls,
        listens: Iterable[Listen],
        workers: int,
        patience: float,
        before: ListenerSet | None = None,
        manager: ServiceManager | None = None,
    ) -> ListenerSet:
        """Open what neither `before` has, with which it is then shared, nor the service manager has kept.

        For `patience` seconds in all an address in use is tried again: after a master was killed its workers need
        a moment to notice. Raises ListenErrors with everything that is wrong; nothing new is open then.
        """
        made = cls((), before.manager if before else manager)
        planned = [plan for listen in listens for plan in made._plan(listen, workers, before)]
        if made.manager.store.drop_unclaimed():
            patience = max(patience, _AFTER_DROP)
        deadline = time.monotonic() + patience
        errors: list[ListenError] = []
        for plan in planned:
            if isinstance(plan, ListenError):
                errors.append(plan)
                continue
            try:
                _open_missing(plan, workers, deadline)
            except OSError as error:
                errors.append(describe(plan.listen.address, error, made._hint(error)))
        if errors:
            made.close_except(before)
            raise ListenErrors(errors)
        return made

    def _plan(self, listen: Listen, workers: int, before: ListenerSet | None) -> list[Listener | ListenError]:
        """The listeners of one [[listen]], with the sockets that are there already; or why that cannot be."""
        try:
            made = _find_sockets(listen, workers, before, self.manager)
        except OSError as error:
            return [describe(listen.address, error)]
        except ListenError as error:
            return [error]
        self._listeners += made
        return [*made]

    def _hint(self, error: OSError) -> str:
        unused = ", ".join(self.unused())
        if not unused or not is_in_use(error):
            return ""
        return f'systemd has passed sockets that no [[listen]] takes by address = "systemd:NAME": {unused}'

    def __iter__(self) -> Iterator[Listener]:
        """The listeners, as configured."""
        return iter(self._listeners)

    def find(self, key: Key) -> Listener | None:
        """The listener that was opened for this address, if there is one."""
        return next((one for one in self._listeners if one.key == key and not one.passed), None)

    def addresses(self) -> tuple[str, ...]:
        """Where the daemon really listens."""
        return tuple(listener.address() for listener in self._listeners)

    def layouts(self) -> tuple[str, ...]:
        """The header layout that is spoken at each of the addresses."""
        return tuple(listener.listen.layout for listener in self._listeners)

    def unused(self) -> list[str]:
        """Names of sockets that the service manager has passed and nobody listens on."""
        used = {systemd_name(listener.listen.address) for listener in self._listeners}
        return [name for name in self.manager.passed.names() if name not in used]

    def warn_of_unused(self) -> None:
        """Log the `unused` ones."""
        for name in self.unused():
            LOG.warning(
                f"systemd has passed a socket named {name!r} that no [[listen]] names: "
                "whoever connects to it waits in vain"
            )

    def sockets(self) -> list[socket.socket]:
        """Every socket."""
        return [one for listener in self._listeners for one in listener.sockets.values()]

    def fds(self) -> list[int]:
        """Every descriptor, once; those that were passed and that nobody listens on are among them."""
        return list({*(one.fileno() for one in self.sockets()), *self.manager.fds()})

    def for_worker(self, slot: int) -> list[tuple[Listen, socket.socket]]:
        """What the worker in this slot listens on."""
        return [
            (listener.listen, listener.sockets[slot if listener.own_sockets else SHARED])
            for listener in self._listeners
        ]

    def grow(self, slot: int) -> None:
        """Open the sockets of one worker more. Raises ListenErrors."""
        for listener in self._listeners:
            if listener.own_sockets:
                try:
                    listener.open_for(slot)
                except OSError as error:
                    raise ListenErrors([describe(listener.listen.address, error)]) from error

    def shrink(self, slot: int) -> None:
        """Close the sockets of a slot that nobody will fill again: the kernel would go on filling their queues."""
        for listener in self._listeners:
            if listener.own_sockets and slot in listener.sockets:
                listener.sockets.pop(slot).close()

    def apply_backlogs(self) -> None:
        """Give sockets that were taken over the backlog that is configured now."""
        for listener in self._listeners:
            listener.apply_backlog()

    def named(self) -> list[tuple[str, int]]:
        """Every socket's descriptor, with the name by which the next master finds it."""
        own = [
            (listener.store_name, one.fileno())
            for listener in self._listeners
            for _, one in sorted(listener.sockets.items())
            if listener.store_name is not None
        ]
        return [*own, *self.manager.passed.named_fds()]

    def leave(self) -> None:
        """Close this process's copies; another master has its own, and the paths of unix sockets are that one's."""
        for one in self.sockets():
            one.close()
        self.manager.passed.close()

    def keep_in_store(self) -> None:
        """Have the service manager keep these sockets, and no others, for the next start."""
        named = ((listener.store_name, tuple(listener.sockets.values())) for listener in self._listeners)
        self.manager.store.keep({name: sockets for name, sockets in named if name is not None})

    def give_to(self, identity: Identity) -> None:
        """Let the identity that the daemon takes on use what root has opened. Raises OSError."""
        for listener in self._listeners:
            if listener.passed:  # the socket unit's SocketUser= says it
                continue
            if listener.key[0] == socket.AF_UNIX:
                os.chown(str(listener.key[1]), identity.uid, identity.gid)
            elif listener.own_sockets:
                for one in listener.sockets.values():
                    # SO_REUSEPORT joins sockets of one owner only: else no worker could be added later
                    os.fchown(one.fileno(), identity.uid, identity.gid)

    def close_except(self, kept: ListenerSet | None) -> None:
        """Close every socket, and remove every unix socket's path, that `kept` does not have.

        A path whose socket the service manager keeps stays: there clients wait for the next start.
        """
        kept_sockets = {id(one) for one in kept.sockets()} if kept else set()
        for listener in self._listeners:
            for index, one in list(listener.sockets.items()):
                if id(one) in kept_sockets:
                    continue
                del listener.sockets[index]
                if listener.passed:
                    continue
                one.close()
                if listener.key[0] == socket.AF_UNIX and not self.manager.store.holds(listener.store_name):
                    with contextlib.suppress(OSError):
                        Path(str(listener.key[1])).unlink()


def _find_sockets(
    listen: Listen, workers: int, before: ListenerSet | None, manager: ServiceManager
) -> list[Listener]:
    """Listeners for one [[listen]], with the sockets that are there already. Raises OSError and ListenError."""
    name = systemd_name(listen.address)
    if name is not None:
        return _passed(listen, name, manager)
    listener = Listener(listen, Address.parse(listen.address).resolve(), {})
    if listener.own_sockets and listener.key[0] == socket.AF_UNIX:
        raise ListenError(listen.address, "unix sockets know no reuseport; allowed: exclusive, mutex", CONFIGURATION)
    if before is None:
        _take_back(listener, workers, manager)
    else:
        _take_over(listener, workers, before)
    return [listener]


def _passed(listen: Listen, name: str, manager: ServiceManager) -> list[Listener]:
    """One for each socket of this name: a socket unit with several addresses passes several."""
    try:
        sockets = manager.passed.named(name)
    except PassedError as error:
        raise ListenError(listen.address, str(error), CONFIGURATION) from None
    return [Listener(listen, (one.family, one.getsockname()), {SHARED: one}, passed=True) for one in sockets]


def _take_over(listener: Listener, workers: int, before: ListenerSet) -> None:
    known = before.find(listener.key)
    if known is None:
        return
    if known.own_sockets != listener.own_sockets:
        raise ListenError(
            listener.listen.address,
            f"accept cannot change from {known.listen.accept!r} to {listener.listen.accept!r} by a reload, "
            "since both cannot be bound at once; a restart can",
            FAILURE,
        )
    indexes = listener.indexes(workers)
    listener.sockets.update((index, known.sockets[index]) for index in indexes if index in known.sockets)


def _take_back(listener: Listener, workers: int, manager: ServiceManager) -> None:
    """What the service manager has kept since the daemon ran last."""
    if listener.store_name is None:
        return
    kept = manager.store.claim(listener.store_name, listener.is_at)
    listener.sockets.update(zip(listener.indexes(workers), kept, strict=False))
    for one in kept[len(listener.sockets) :]:  # there were more workers then
        one.close()
    listener.apply_backlog()


def _open_missing(listener: Listener, workers: int, deadline: float) -> None:
    for index in listener.indexes(workers):
        _open_patiently(listener, index, deadline)


def _open_patiently(listener: Listener, index: int, deadline: float) -> None:
    while True:
        try:
            listener.open_for(index)
        except OSError as error:
            if not is_in_use(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY)  # an address cannot be awaited
        else:
            return
