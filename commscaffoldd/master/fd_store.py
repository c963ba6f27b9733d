"""The service manager's file descriptor store: it keeps our listening sockets open while we are not there.

What is handed over by FDSTORE=1 (sd_notify(3)) comes back at the next start, beside the sockets of socket units
(sd_listen_fds(3)). In between the kernel goes on taking clients into the backlogs, so a restart refuses none.
A name says which listener a descriptor belongs to: it is made from the address alone, so the next start finds it.
"""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

from commscaffoldd.core.address import MAX_SOCKET_NAME, SocketAddress
from commscaffoldd.master.activation import Descriptor
from commscaffoldd.master.notify import Notifier

LOG = logging.getLogger(__name__)

PREFIX: Final = "commscaffoldd/"  # of every name here; a socket unit's name has no reason to begin so


def store_name(family: socket.AddressFamily, target: SocketAddress, *, reuseport: bool) -> str:
    """The name of a listener in the store: no colon, no blank, nothing beyond ASCII, and not too long.

    Sockets with and without SO_REUSEPORT have different names: one cannot stand in for the other.
    """
    if family == socket.AF_UNIX:
        name = f"{PREFIX}unix{quote(str(target))}"
    else:
        parts = "/".join(quote(str(part), safe="") for part in target)
        name = f"{PREFIX}{'tcp-reuseport' if reuseport else 'tcp'}/{parts}"
    if len(name) <= MAX_SOCKET_NAME:
        return name
    return f"{PREFIX}sha256/{hashlib.sha256(name.encode()).hexdigest()}"


class FdStore:
    """What the service manager keeps for this daemon: what came back from it, and what it was given since.

    Args:
        notifier: the way there.
        returned: descriptors that came back, whose names begin with `PREFIX`.
    """

    def __init__(self, notifier: Notifier, returned: Iterable[Descriptor] = ()) -> None:
        self._notifier = notifier
        self._held: dict[str, tuple[socket.socket, ...]] = {}
        self._returned: dict[str, list[Descriptor]] = {}
        for one in returned:
            self._returned.setdefault(one.name, []).append(one)

    def fds(self) -> list[int]:
        """Descriptors that came back and that nobody has claimed."""
        return [one.fd for group in self._returned.values() for one in group]

    def holds(self, name: str | None) -> bool:
        """Whether the manager has something with this name, so far as is known: it does not answer."""
        return self._notifier.active and name in self._held

    def claim(self, name: str, usable: Callable[[socket.socket], bool]) -> list[socket.socket]:
        """The sockets that came back with this name; they are the caller's. Those that are not usable are closed."""
        claimed = []
        group = self._returned.pop(name, [])
        for one in group:
            if one.socket is not None and usable(one.socket):
                one.socket.setblocking(False)
                claimed.append(one.socket)
            else:
                LOG.warning(f"the service manager has kept {name!r}, which cannot be used any more")
                one.close()
        if claimed:
            # If something was closed, what the manager has is not what will be wanted: `keep` puts that right.
            self._held[name] = tuple(claimed) if len(claimed) == len(group) else ()
        elif group:
            self._notifier.forget(name)
        return claimed

    def drop_unclaimed(self) -> bool:
        """Have the manager close what nobody listens on any more; whether there was anything.

        It has to be told before other addresses are bound: they may be the same ones, written differently.
        """
        names = list(self._returned)
        for name in names:
            for one in self._returned.pop(name):
                one.close()
            self._notifier.forget(name)
        return bool(names)

    def keep(self, wanted: Mapping[str, tuple[socket.socket, ...]]) -> None:
        """Have the manager keep exactly these, by name."""
        if not self._notifier.active:
            return
        for name in self._held.keys() - wanted.keys():
            self._forget(name)
        for name, sockets in wanted.items():
            if self._held.get(name) == sockets:
                continue
            if name in self._held:
                self._forget(name)  # what was added could be added there, but what is gone cannot be taken out alone
            if self._notifier.store(name, [one.fileno() for one in sockets]):
                self._held[name] = sockets
            else:
                LOG.warning(f"the service manager was not given {name!r}: a restart refuses clients for a moment")

    def _forget(self, name: str) -> None:
        del self._held[name]
        self._notifier.forget(name)
