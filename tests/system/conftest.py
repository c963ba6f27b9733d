from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.system.daemon import Daemon
from tests.system.ports import Ports

NewDaemon = Callable[[], Daemon]


@pytest.fixture(scope="session")
def ports() -> Iterator[Ports]:
    """Ports that no other test uses."""
    made = Ports()
    yield made
    made.close()


@pytest.fixture
def daemon(ports: Ports) -> Iterator[Daemon]:
    """A daemon that is not started yet; afterwards nothing of it is left."""
    made = Daemon(ports)
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def new_shared_daemon(ports: Ports) -> Iterator[NewDaemon]:
    """Makes daemons that live as long as a module's tests."""
    made: list[Daemon] = []

    def make() -> Daemon:
        made.append(Daemon(ports))
        return made[-1]

    yield make
    for one in made:
        one.destroy()
