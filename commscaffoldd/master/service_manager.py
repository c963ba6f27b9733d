"""What the service manager, systemd or who speaks like it, is for this daemon."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping

from commscaffoldd.master.activation import PassedSockets, take_descriptors
from commscaffoldd.master.notify import Notifier


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceManager:
    """Whom to tell, and what came from there."""

    notifier: Notifier
    passed: PassedSockets

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str], pid: int) -> ServiceManager:
        """The one that started the process `pid`, if one did. Its variables are taken out of the environment.

        Raises PassedError if what it passed cannot be understood.
        """
        notifier = Notifier.from_environment(environment)
        return cls(notifier, PassedSockets(take_descriptors(environment, pid)))

    @classmethod
    def nobody(cls) -> ServiceManager:
        """The one of a daemon that a person started."""
        return cls(Notifier(""), PassedSockets())
