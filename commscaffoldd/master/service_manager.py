"""What the service manager, systemd or who speaks like it, is for this daemon."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping

from commscaffoldd.master.activation import PassedSockets, take_descriptors
from commscaffoldd.master.fd_store import PREFIX, FdStore
from commscaffoldd.master.notify import Notifier


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceManager:
    """Whom to tell, and what came from there."""

    notifier: Notifier
    passed: PassedSockets
    store: FdStore

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str], pid: int) -> ServiceManager:
        """The one that started the process `pid`, if one did. Its variables are taken out of the environment.

        Raises PassedError if what it passed cannot be understood.
        """
        notifier = Notifier.from_environment(environment)
        descriptors = take_descriptors(environment, pid)
        passed = [one for one in descriptors if not one.name.startswith(PREFIX)]
        kept = [one for one in descriptors if one.name.startswith(PREFIX)]
        return cls(notifier, PassedSockets(passed), FdStore(notifier, kept))

    @classmethod
    def nobody(cls) -> ServiceManager:
        """The one of a daemon that a person started."""
        notifier = Notifier("")
        return cls(notifier, PassedSockets(), FdStore(notifier))

    def fds(self) -> list[int]:
        """Descriptors that came from there, but for those that a listener has claimed from the store."""
        return [*self.passed.fds(), *self.store.fds()]
