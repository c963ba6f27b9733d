"""What the service manager is told of the daemon's state, by the master that is in charge."""

from __future__ import annotations

from commscaffoldd.master.notify import Notifier
from commscaffoldd.master.service_watchdog import ServiceWatchdog
from commscaffoldd.master.standing import Standing
from commscaffoldd.master.supervisor import Supervisor


class ManagerReports:
    """Tells it; or nobody, if there is none."""

    def __init__(
        self, notifier: Notifier, watchdog: ServiceWatchdog, standing: Standing, supervisor: Supervisor
    ) -> None:
        self._notifier = notifier
        self._watchdog = watchdog
        self._standing = standing
        self._supervisor = supervisor

    def in_charge(self) -> None:
        """This master is the daemon's from now on: it serves, its sockets are to be kept, and it can be relied on."""
        self.ready()
        self._supervisor.generation.listeners.keep_in_store()
        self._watchdog.start()

    def ready(self) -> None:
        """It serves, or goes on after a reload."""
        self._notifier.ready(self._summary())

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._notifier.reloading("reloading")

    def workers_changed(self) -> None:
        """There may be more workers, or fewer."""
        if self._standing.state == "running":
            self._notifier.status(self._summary())

    def stopping(self) -> None:
        """It stops; if another master is in charge, that is not the manager's business."""
        self._watchdog.stop()
        if self._standing.in_charge:
            self._notifier.stopping("stopping")

    def _summary(self) -> str:
        addresses = self._supervisor.generation.listeners.addresses()
        return f"{len(self._supervisor.serving)} workers serve {', '.join(addresses)}"
