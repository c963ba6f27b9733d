"""A restart by the service manager refuses no client: it keeps the listening sockets meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.client.frame_client import FrameClient
from tests.system.daemon import Daemon
from tests.system.ports import is_free
from tests.system.service_manager import ServiceManager
from tests.system.waiting import stays, wait_until


@pytest.fixture
def manager(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    made = ServiceManager(daemon.folder / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    yield made
    made.close()


def begin(daemon: Daemon, manager: ServiceManager) -> None:
    """Start it with all that is stored, and wait until it has said what is to be stored."""
    program, fds = manager.launcher()
    process = daemon.start_foreground(program, fds)
    manager.wait_for("READY=1")
    assert process.poll() is None, daemon.foreground_text()


def end(daemon: Daemon) -> None:
    assert daemon.foreground is not None
    daemon.foreground.send_signal(signal.SIGTERM)
    assert daemon.foreground.wait(20) == 0


def stored(manager: ServiceManager, *names: str) -> None:
    """Wait until this is what is stored."""

    def same() -> bool:
        manager.hear()
        return sorted(manager.store) == sorted(names)

    wait_until(same, what=f"{names} to be stored; there is {list(manager.store)}")


def name_of(address: str) -> str:
    if address.startswith("unix:"):
        return f"commscaffoldd/unix{address.removeprefix('unix:')}"
    return f"commscaffoldd/tcp/{address.replace(':', '/')}"


def test_clients_that_come_while_it_is_down_are_served_when_it_is_back(
    daemon: Daemon, manager: ServiceManager
) -> None:
    tcp, unix = daemon.free_address(), daemon.unix_address("u.sock")
    daemon.configure(listen=[{"address": tcp}, {"address": unix}])
    begin(daemon, manager)
    stored(manager, name_of(tcp), name_of(unix))
    end(daemon)
    with daemon.connect(0) as first, daemon.connect(1) as second:
        first.send(1, b"by tcp")
        second.send(1, b"by unix")
        begin(daemon, manager)
        assert first.receive().body == b"by tcp"
        assert second.receive().body == b"by unix"
    assert daemon.foreground_text().count("WARNING") == 0


def test_what_came_back_is_not_stored_twice(daemon: Daemon, manager: ServiceManager) -> None:
    begin(daemon, manager)
    stored(manager, name_of(daemon.address()))
    end(daemon)
    manager.hear()
    begin(daemon, manager)
    assert stays(lambda: not any("FDSTORE" in message for message in manager.hear()), 0.3)
    assert len(manager.store[name_of(daemon.address())]) == 1


def test_a_killed_daemon_finds_its_sockets_again(daemon: Daemon, manager: ServiceManager) -> None:
    daemon.configure(listen=[{"address": daemon.address(), "accept": "reuseport"}], daemon={"workers": 2})
    begin(daemon, manager)
    wait_until(lambda: manager.hear() is not None and manager.store)
    ((name, fds),) = manager.store.items()
    assert name == name_of(daemon.address()).replace("/tcp/", "/tcp-reuseport/")
    assert len(fds) == 2, "one for each worker"
    daemon.kill_everything()
    assert daemon.foreground is not None
    assert daemon.foreground.wait(20) == -signal.SIGKILL
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(8)]
        for client in clients:
            client.send(1, b"hello")
        begin(daemon, manager)
        assert {client.receive().body for client in clients} == {b"hello"}


def test_a_listener_that_a_reload_takes_away_leaves_the_store(daemon: Daemon, manager: ServiceManager) -> None:
    kept, gone, path = daemon.address(), daemon.free_address(), daemon.folder / "gone.sock"
    daemon.configure(listen=[{"address": kept}, {"address": gone}, {"address": f"unix:{path}"}])
    begin(daemon, manager)
    stored(manager, name_of(kept), name_of(gone), name_of(f"unix:{path}"))
    daemon.configure(listen=[{"address": kept}])
    daemon.reload()
    stored(manager, name_of(kept))
    wait_until(lambda: is_free(int(gone.rpartition(":")[2])))
    assert not path.exists()
    daemon.configure(listen=[{"address": kept}, {"address": gone}])
    daemon.reload()
    stored(manager, name_of(kept), name_of(gone))


def test_an_address_that_is_not_configured_any_more_is_given_up_at_the_next_start(
    daemon: Daemon, manager: ServiceManager
) -> None:
    before = daemon.address()
    begin(daemon, manager)
    stored(manager, name_of(before))
    end(daemon)
    # the same port on all addresses: impossible to bind while the old socket is kept
    after = before.replace("127.0.0.1", "0.0.0.0")
    daemon.configure(listen=[{"address": after}])
    program, fds = manager.launcher()
    daemon.begin_foreground(program, fds)
    manager.wait_for("FDSTOREREMOVE=1")
    manager.wait_for("READY=1")
    stored(manager, name_of(after))


def test_the_sockets_of_socket_units_are_not_stored(daemon: Daemon, manager: ServiceManager) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as passed:
        own = daemon.address()
        daemon.configure(listen=[{"address": "systemd:game"}, {"address": own}])
        program, fds = manager.launcher(game=passed.fileno())
        daemon.start_foreground(program, fds)
        stored(manager, name_of(own))
        end(daemon)
        program, fds = manager.launcher(game=passed.fileno())
        daemon.start_foreground(program, fds)
        real = "{}:{}".format(*passed.getsockname())
    with FrameClient(real, daemon.layout(), 15.0) as client:
        assert client.call(1, b"hello") == b"hello"
    assert [one["address"] for one in daemon.status()["listen"]] == [real, own]


def test_without_a_manager_a_stop_leaves_nothing_behind(daemon: Daemon) -> None:
    daemon.configure(listen=[{"address": daemon.unix_address("u.sock")}])
    daemon.start_foreground()
    assert (daemon.folder / "u.sock").is_socket()
    end(daemon)
    assert not (daemon.folder / "u.sock").exists()


def test_a_path_left_by_a_stop_for_good_does_not_hinder_the_next_start(
    daemon: Daemon, manager: ServiceManager
) -> None:
    daemon.configure(listen=[{"address": daemon.unix_address("u.sock")}])
    begin(daemon, manager)
    stored(manager, name_of(daemon.address()))
    end(daemon)
    for name, fds in manager.store.items():  # `systemctl stop`: the manager closes all that it has kept
        assert name
        for fd in fds:
            os.close(fd)
    manager.store.clear()
    assert Path(daemon.address().removeprefix("unix:")).is_socket()
    begin(daemon, manager)
    with daemon.connect() as client:
        assert client.call(1, b"hello") == b"hello"
