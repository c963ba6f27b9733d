"""The listening sockets of one configuration, opened anew or taken over from the configuration before."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from commscaffoldd.config.schema import Listen
from commscaffoldd.core.address import Address, SocketAddress, describe_bound, systemd_name
from commscaffoldd.master.activation import PassedError
from commscaffoldd.master.listen_errors import CONFIGURATION, ListenError, ListenErrors, describe, is_in_use
from commscaffoldd.master.privileges import Identity
from commscaffoldd.master.service_manager import ServiceManager
from commscaffoldd.master.unix_path import bind_unix

SHARED: Final = 0  # the index of a socket that all workers share; slots are counted from 1
_RETRY: Final = 0.05  # seconds

Key = tuple[socket.AddressFamily, SocketAddress]


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """One configured address and its sockets: one that all workers share, or one for each worker slot.

    With `reuseport` a worker's replacement gets the socket, and so the queue, of the worker that died.
    `passed` is a listener whose socket the service manager has opened: it is neither changed nor closed nor, if it is
    a unix socket, removed here.
    """

    listen: Listen
    key: Key
    sockets: dict[int, socket.socket]
    passed: bool = False

    @property
    def own_sockets(self) -> bool:
        """Whether each worker has a socket of its own."""
        return self.listen.accept == "reuseport"

    def address(self) -> str:
        """Where it really listens: with the port, where port 0 is configured, and what systemd has bound."""
        if self.passed:
            return describe_bound(self.sockets[SHARED].getsockname())
        configured = Address.parse(self.listen.address)
        if configured.path or configured.port:
            return str(configured)
        bound = next(iter(self.sockets.values())).getsockname()
        return str(dataclasses.replace(configured, port=bound[1]))

    def open_for(self, index: int) -> None:
        """Open the socket with this index, if it is not open. Raises OSError."""
        if index in self.sockets:
            return
        family, target = self.key
        if self.sockets and family != socket.AF_UNIX:
            target = next(iter(self.sockets.values())).getsockname()  # for port 0: the same port for all
        self.sockets[index] = open_socket(self.listen, family, target)


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
        """Open what `before` does not have, and share with it what it has.

        For `patience` seconds in all an address in use is tried again: after a master was killed its workers need
        a moment to notice. Raises ListenErrors with everything that is wrong; nothing new is open then.
        """
        deadline = time.monotonic() + patience
        made = cls((), before.manager if before else manager)
        errors: list[ListenError] = []
        for listen in listens:
            try:
                name = systemd_name(listen.address)
                if name is None:
                    made._listeners.append(_open_listener(listen, workers, deadline, before))
                else:
                    made._listeners += _passed_listeners(listen, name, made.manager)
            except OSError as error:
                errors.append(describe(listen.address, error))
            except ListenError as error:
                errors.append(error)
        if errors:
            made.close_except(before)
            raise ListenErrors(errors)
        return made

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

    def sockets(self) -> list[socket.socket]:
        """Every socket."""
        return [one for listener in self._listeners for one in listener.sockets.values()]

    def fds(self) -> list[int]:
        """Every descriptor, once; those that were passed and that nobody listens on are among them."""
        return list({*(one.fileno() for one in self.sockets()), *self.manager.passed.fds()})

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
            if listener.passed:  # the socket unit's Backlog= says it
                continue
            for one in listener.sockets.values():
                with contextlib.suppress(OSError):
                    one.listen(listener.listen.backlog)

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
        """Close every socket, and remove every unix socket's path, that `kept` does not have."""
        kept_sockets = {id(one) for one in kept.sockets()} if kept else set()
        for listener in self._listeners:
            for index, one in list(listener.sockets.items()):
                if id(one) in kept_sockets:
                    continue
                del listener.sockets[index]
                if listener.passed:
                    continue
                one.close()
                if listener.key[0] == socket.AF_UNIX:
                    with contextlib.suppress(OSError):
                        Path(str(listener.key[1])).unlink()


def open_socket(listen: Listen, family: socket.AddressFamily, target: SocketAddress) -> socket.socket:
    """A listening, non-blocking socket. Raises OSError."""
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_UNIX:
            bind_unix(made, Path(str(target)))
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if listen.accept == "reuseport":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind(target)
        made.listen(listen.backlog)
    except BaseException:
        made.close()
        raise
    return made


def _passed_listeners(listen: Listen, name: str, manager: ServiceManager) -> list[Listener]:
    """One for each socket of this name: a socket unit with several addresses passes several."""
    try:
        sockets = manager.passed.named(name)
    except PassedError as error:
        raise ListenError(listen.address, str(error), CONFIGURATION) from None
    return [Listener(listen, (one.family, one.getsockname()), {SHARED: one}, passed=True) for one in sockets]


def _open_listener(listen: Listen, workers: int, deadline: float, before: ListenerSet | None) -> Listener:
    key = Address.parse(listen.address).resolve()
    known = before.find(key) if before else None
    listener = Listener(listen, key, {})
    if listener.own_sockets and key[0] == socket.AF_UNIX:
        raise ListenError(listen.address, "unix sockets know no reuseport; allowed: exclusive, mutex", CONFIGURATION)
    if known is not None and known.own_sockets != listener.own_sockets:
        raise ListenError(
            listen.address,
            f"accept cannot change from {known.listen.accept!r} to {listen.accept!r} by a reload, "
            "since both cannot be bound at once; a restart can",
            1,
        )
    indexes = range(1, workers + 1) if listener.own_sockets else (SHARED,)
    if known is not None:
        listener.sockets.update((index, known.sockets[index]) for index in indexes if index in known.sockets)
    taken_over = set(listener.sockets)
    try:
        for index in indexes:
            _open_patiently(listener, index, deadline)
    except BaseException:
        for index in set(listener.sockets) - taken_over:
            listener.sockets.pop(index).close()
        raise
    return listener


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
