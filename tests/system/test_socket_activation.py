"""`address = "systemd:NAME"`: the listening sockets come from systemd."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.client.frame_client import FrameClient
from commscaffoldd.core.layout import PRESETS
from tests.system.daemon import PROGRAM, Daemon
from tests.system.service_manager import AS_SERVICE
from tests.system.waiting import wait_until

ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def as_service(*passed: tuple[socket.socket, str]) -> dict[str, Any]:
    """Arguments that start the daemon with these sockets, as systemd does."""
    words = [f"{one.fileno()}:{name}" for one, name in passed]
    return {
        "program": (*AS_SERVICE, *words, "--", *PROGRAM),
        "pass_fds": tuple(one.fileno() for one, _ in passed),
    }


def address_of(one: socket.socket) -> str:
    name = one.getsockname()
    return f"unix:{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"


def echoed(address: str, layout: str = "standard") -> bytes:
    with FrameClient(address, PRESETS[layout], 15.0) as client:
        return client.call(1, b"hello")


@pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is not installed")
def test_systemd_socket_activate_starts_it_with_the_first_client(daemon: Daemon) -> None:
    address = daemon.free_address()
    daemon.configure(listen=[{"address": "systemd:game", "layout": "compact"}])
    mark = [word for name in daemon.environment() for word in ("-E", name) if name.startswith("COMMSCAFFOLDD_")]
    daemon.begin_foreground((str(ACTIVATE), "-l", address, "--fdname=game", *mark, *PROGRAM))
    wait_until(lambda: "Listening on" in daemon.foreground_text())
    assert not daemon.pidfile.exists()
    assert echoed(address, "compact") == b"hello"
    assert daemon.status()["listen"] == [{"address": address, "layout": "compact", "accept": "exclusive"}]
    assert f"listening on {address} (layout compact)" in daemon.foreground_text()


def test_the_socket_stays_the_same_over_a_reload(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.configure(listen=[{"address": "systemd:game"}])
    daemon.start_foreground(**as_service((tcp, "game")))
    tcp.close()
    with FrameClient(address := daemon.status()["listen"][0]["address"], PRESETS["standard"], 15.0) as early:
        assert early.call(1, b"before") == b"before"
        daemon.configure(listen=[{"address": "systemd:game", "layout": "compact", "accept": "mutex"}])
        daemon.reload()
    assert echoed(address, "compact") == b"hello"
    assert daemon.status()["listen"] == [{"address": address, "layout": "compact", "accept": "mutex"}]


def test_a_listener_that_a_reload_takes_away_another_one_brings_back(daemon: Daemon, tcp: socket.socket) -> None:
    own = daemon.free_address()
    daemon.configure(listen=[{"address": "systemd:game"}, {"address": own}])
    daemon.start_foreground(**as_service((tcp, "game")))
    address = address_of(tcp)
    tcp.close()
    daemon.configure(listen=[{"address": own}])
    daemon.reload()
    assert "a socket named 'game' that no [[listen]] names" in daemon.foreground_text()
    with socket.create_connection((address.split(":")[0], int(address.split(":")[1])), 15):  # the backlog takes it
        daemon.configure(listen=[{"address": own}, {"address": "systemd:game"}])
        daemon.reload()
    assert echoed(address) == b"hello"


def test_several_sockets_of_one_name_and_a_unix_socket(daemon: Daemon, tcp: socket.socket) -> None:
    path = daemon.folder / "local.sock"
    with socket.create_server(("127.0.0.1", 0)) as other, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(path))
        local.listen()
        addresses = [address_of(one) for one in (tcp, other, local)]
        daemon.configure(listen=[{"address": "systemd:game"}, {"address": "systemd:local", "layout": "compact"}])
        daemon.start_foreground(**as_service((tcp, "game"), (local, "local"), (other, "game")))
        tcp.close()
    assert [one["address"] for one in daemon.status()["listen"]] == addresses
    assert [echoed(addresses[0]), echoed(addresses[1]), echoed(addresses[2], "compact")] == [b"hello"] * 3
    assert daemon.foreground is not None
    daemon.foreground.send_signal(signal.SIGTERM)
    assert daemon.foreground.wait(15) == 0
    assert path.is_socket(), "the path is systemd's"


def test_workers_and_what_they_start_do_not_see_the_variables(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.plugin(
        "spy",
        """
        import os
        from commscaffoldd import handler

        @handler(77)
        def environment(request):
            return " ".join(os.environ).encode()
        """,
    )
    daemon.configure(listen=[{"address": "systemd:game"}])
    daemon.start_foreground(**as_service((tcp, "game")))
    with FrameClient(address_of(tcp), PRESETS["standard"], 15.0) as client:
        assert b"LISTEN_" not in client.call(77)


def test_a_daemonised_one_takes_them_too(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.configure(listen=[{"address": "systemd:game"}])
    arguments = as_service((tcp, "game"))
    line = (*arguments["program"], "start", "--config", str(daemon.path))
    done = subprocess.run(
        line,
        pass_fds=arguments["pass_fds"],
        env=daemon.environment(),
        cwd=daemon.folder,
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"listening on {address_of(tcp)} (layout standard)" in done.stdout
    assert echoed(address_of(tcp)) == b"hello"


def test_what_is_wrong_is_told(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.configure(listen=[{"address": "systemd:game"}])
    by_hand = daemon.command("start")
    assert by_hand.code == 78
    assert by_hand.err == (
        "error: cannot listen on systemd:game: systemd has passed no socket to this process; "
        "a socket unit with FileDescriptorName=game does, when systemd starts the service\n"
    )
    process = daemon.start_foreground(**as_service((tcp, "gane"), (tcp, "admin")))
    assert process.wait(15) == 78
    assert "cannot listen on systemd:game: systemd has passed no socket of that name; it has passed: gane, admin" in (
        daemon.foreground_text()
    )
    assert daemon.command("check").code == 0


def test_a_reload_that_wants_a_socket_that_is_not_there_changes_nothing(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.configure(listen=[{"address": "systemd:game"}])
    daemon.start_foreground(**as_service((tcp, "game")))
    daemon.configure(listen=[{"address": "systemd:other"}])
    done = daemon.command("reload")
    assert done.code == 78
    assert "systemd has passed no socket of that name; it has passed: game" in done.err
    assert echoed(address_of(tcp)) == b"hello"


def test_an_address_that_systemd_has_taken_is_told_with_the_sockets_name(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.configure(listen=[{"address": address_of(tcp)}])
    process = daemon.start_foreground(**as_service((tcp, "game")))
    assert process.wait(15) == 1
    assert (
        f"cannot listen on {address_of(tcp)}: another process listens there already (EADDRINUSE); "
        'systemd has passed sockets that no [[listen]] takes by address = "systemd:NAME": game'
    ) in daemon.foreground_text()


def test_a_socket_that_nobody_names_is_warned_of(daemon: Daemon, tcp: socket.socket) -> None:
    daemon.start_foreground(**as_service((tcp, "left")))
    assert "systemd has passed a socket named 'left' that no [[listen]] names" in daemon.foreground_text()
    inode = Path(f"/proc/self/fd/{tcp.fileno()}").readlink()
    held = [link.readlink() for link in Path(f"/proc/{daemon.worker_pids()[0]}/fd").iterdir()]
    assert inode not in held, "a worker holds only what it accepts from"
