"""What the service manager keeps, and under which names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.config.schema import Listen
from commscaffoldd.core.address import systemd_name
from commscaffoldd.master.activation import Descriptor, PassedSockets
from commscaffoldd.master.fd_store import PREFIX, FdStore, store_name
from commscaffoldd.master.listeners import ListenerSet
from commscaffoldd.master.notify import Notifier
from commscaffoldd.master.service_manager import ServiceManager

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX


class Recorder(Notifier):
    """Notes what the manager is told."""

    def __init__(self) -> None:
        super().__init__("/somewhere")
        self.told: list[str] = []

    def store(self, name: str, fds: object) -> bool:
        assert isinstance(fds, list)
        self.told.append(f"store {len(fds)} {name}")
        return True

    def forget(self, name: str) -> None:
        self.told.append(f"forget {name}")


@pytest.fixture
def notifier() -> Recorder:
    return Recorder()


@pytest.fixture
def first() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def second() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def manager(notifier: Notifier, *kept: tuple[str, socket.socket]) -> ServiceManager:
    descriptors = [Descriptor(name, one.fileno(), one) for name, one in kept]
    return ServiceManager(notifier, PassedSockets(), FdStore(notifier, descriptors))


def name_of(one: socket.socket) -> str:
    return store_name(one.family, one.getsockname(), reuseport=False)


@pytest.mark.parametrize(
    ("family", "target", "reuseport", "name"),
    [
        (INET, ("127.0.0.1", 9000), 0, "commscaffoldd/tcp/127.0.0.1/9000"),
        (INET, ("127.0.0.1", 9000), 1, "commscaffoldd/tcp-reuseport/127.0.0.1/9000"),
        (INET6, ("::1", 9000, 0, 0), 0, "commscaffoldd/tcp/%3A%3A1/9000/0/0"),
        (UNIX, "/run/x y:é.sock", 0, "commscaffoldd/unix/run/x%20y%3A%C3%A9.sock"),
    ],
)
def test_names_are_made_from_addresses(
    family: socket.AddressFamily, target: str | tuple[str, int], reuseport: int, name: str
) -> None:
    assert store_name(family, target, reuseport=bool(reuseport)) == name
    assert systemd_name(f"systemd:{name}") == name, "systemd takes it"


def test_a_name_that_would_be_too_long_is_a_digest() -> None:
    names = {store_name(UNIX, "/" + letter * 53, reuseport=False) for letter in "éè"}
    assert {len(name) for name in names} == {len(f"{PREFIX}sha256/") + 64}


def test_only_changes_are_told(notifier: Recorder, first: socket.socket, second: socket.socket) -> None:
    store = FdStore(notifier)
    store.keep({"a": (first,)})
    store.keep({"a": (first,)})
    assert notifier.told == ["store 1 a"]
    store.keep({"a": (first, second), "b": (second,)})
    assert notifier.told[1:] == ["forget a", "store 2 a", "store 1 b"]
    store.keep({"a": (first, second)})
    assert notifier.told[4:] == ["forget b"]
    assert store.holds("a")
    assert not store.holds("b")


def test_without_a_manager_nothing_is_kept(first: socket.socket) -> None:
    store = FdStore(Notifier(""))
    store.keep({"a": (first,)})
    assert not store.holds("a")


def test_a_listener_gets_back_what_was_kept_and_it_need_not_be_stored_again(
    notifier: Recorder, first: socket.socket
) -> None:
    listen = Listen(address=f"127.0.0.1:{first.getsockname()[1]}", backlog=7)
    listeners = ListenerSet.open([listen], 2, 0.0, manager=manager(notifier, (name_of(first), first)))
    assert listeners.sockets() == [first]
    assert not first.getblocking()
    listeners.keep_in_store()
    assert notifier.told == []


def test_what_no_listener_wants_any_more_is_given_up_first(notifier: Recorder, first: socket.socket) -> None:
    """0.0.0.0:PORT cannot be bound while somebody listens on 127.0.0.1:PORT."""
    port = first.getsockname()[1]
    name = name_of(first)
    listeners = ListenerSet.open(
        [Listen(address=f"0.0.0.0:{port}")], 1, 0.0, manager=manager(notifier, (name, first))
    )
    assert notifier.told == [f"forget {name}"]
    assert first.fileno() == -1
    listeners.close_except(None)


def test_a_socket_that_is_not_where_its_name_says_is_not_used(
    notifier: Recorder, first: socket.socket, second: socket.socket
) -> None:
    port = second.getsockname()[1]
    wrong = name_of(second)
    second.close()
    kept = manager(notifier, (wrong, first))
    listeners = ListenerSet.open([Listen(address=f"127.0.0.1:{port}")], 1, 0.0, manager=kept)
    assert notifier.told == [f"forget {wrong}"]
    assert listeners.sockets()[0].getsockname()[1] == port
    listeners.close_except(None)


def test_fewer_workers_need_fewer_of_their_sockets(notifier: Recorder) -> None:
    listen = Listen(address="127.0.0.1:0", accept="reuseport")
    before = ListenerSet.open([listen], 3, 0.0)
    sockets = before.sockets()
    target = sockets[0].getsockname()
    name = store_name(INET, target, reuseport=True)
    kept = manager(notifier, *((name, one) for one in sockets))
    after = ListenerSet.open([Listen(address=f"127.0.0.1:{target[1]}", accept="reuseport")], 2, 0.0, manager=kept)
    assert after.sockets() == sockets[:2]
    assert sockets[2].fileno() == -1
    after.keep_in_store()
    assert notifier.told == [f"forget {name}", f"store 2 {name}"]
    after.close_except(None)


def test_a_port_that_is_another_one_each_time_is_not_kept(notifier: Recorder) -> None:
    listeners = ListenerSet.open([Listen(address="127.0.0.1:0")], 1, 0.0, manager=manager(notifier))
    listeners.keep_in_store()
    assert notifier.told == []
    listeners.close_except(None)


def test_the_path_of_a_unix_socket_stays_while_the_manager_keeps_it(notifier: Recorder, folder: Path) -> None:
    path = folder / "u"
    listeners = ListenerSet.open([Listen(address=f"unix:{path}")], 1, 0.0, manager=manager(notifier))
    listeners.keep_in_store()
    (kept,) = (one.dup() for one in listeners.sockets())
    listeners.close_except(None)
    with socket.socket(UNIX) as client:
        client.connect(str(path))
    name = store_name(UNIX, str(path), reuseport=False)
    again = ListenerSet.open([Listen(address=f"unix:{path}")], 1, 0.0, manager=manager(notifier, (name, kept)))
    assert again.sockets() == [kept]
    after = ListenerSet.open([], 1, 0.0, before=again)
    after.keep_in_store()
    again.close_except(after)
    assert not path.exists(), "a reload that takes the listener away removes the path"


def test_a_unix_socket_whose_path_is_gone_is_made_anew(notifier: Recorder, folder: Path) -> None:
    path = folder / "u"
    kept = socket.socket(UNIX)
    kept.bind(str(path))
    kept.listen()
    path.unlink()
    name = store_name(UNIX, str(path), reuseport=False)
    listeners = ListenerSet.open([Listen(address=f"unix:{path}")], 1, 0.0, manager=manager(notifier, (name, kept)))
    assert kept.fileno() == -1
    assert path.is_socket()
    assert notifier.told == [f"forget {name}"]
    listeners.close_except(None)
    assert not path.exists()
