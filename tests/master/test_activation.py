"""Sockets that the service manager passes. The descriptors begin at 3, so each case runs in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.master.activation import PassedError, PassedSockets, take_descriptors

AS_SERVICE = Path(__file__).parents[1] / "system" / "as_service.py"
SHOW = """
import json, os, sys
from commscaffoldd.master.activation import PassedError, PassedSockets, take_descriptors
try:
    passed = PassedSockets(take_descriptors(os.environ, os.getpid()))
    wanted = passed.named(sys.argv[1])
except PassedError as error:
    print(json.dumps({"error": str(error)}))
else:
    left = [name for name in os.environ if name.startswith("LISTEN_")]
    inherited = [fd for fd in passed.fds() if os.get_inheritable(fd)]
    print(json.dumps({"names": passed.names(), "fds": [one.fileno() for one in wanted], "left": left,
        "inherited": inherited, "blocking": [one.getblocking() for one in wanted]}))
"""


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def show(wanted: str, *passed: tuple[int, str], **environment: str) -> dict[str, Any]:
    """What a process that was started with these descriptors sees."""
    words = [f"{fd}:{name}" for fd, name in passed]
    override = [f"{name}={value}" for name, value in environment.items()]
    done = subprocess.run(
        [sys.executable, str(AS_SERVICE), *words, "--", "env", *override, sys.executable, "-c", SHOW, wanted],
        pass_fds=[fd for fd, _ in passed],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_sockets_are_found_by_name_and_children_inherit_nothing(tcp: socket.socket, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(str(folder / "s"))
        local.listen()
        shown = show("local", (tcp.fileno(), "game"), (local.fileno(), "local"))
    assert shown == {"names": ["game", "local"], "fds": [4], "left": [], "inherited": [], "blocking": [False]}


def test_all_sockets_of_one_name_are_taken(tcp: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        shown = show("game", (tcp.fileno(), "game"), (other.fileno(), "game"))
    assert shown["fds"] == [3, 4]


def test_a_name_that_is_not_there_is_told_with_those_that_are(tcp: socket.socket) -> None:
    shown = show("gane", (tcp.fileno(), "game"), (tcp.fileno(), "admin"))
    assert shown["error"] == "systemd has passed no socket of that name; it has passed: game, admin"


def test_descriptors_for_another_process_are_not_ours(tcp: socket.socket) -> None:
    shown = show("game", (tcp.fileno(), "game"), LISTEN_PID="1")
    assert shown["error"] == (
        "systemd has passed no socket to this process; a socket unit with FileDescriptorName=game does, "
        "when systemd starts the service"
    )


def test_without_names_all_are_unknown(tcp: socket.socket) -> None:
    assert show("unknown", (tcp.fileno(), "game"), LISTEN_FDNAMES="")["names"] == ["unknown"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LISTEN_FDS": "2"}, "LISTEN_FDNAMES has 1 names, LISTEN_FDS is 2; allowed: a name for each"),
        ({"LISTEN_FDS": "some"}, "LISTEN_FDS is 'some'; allowed: a number"),
        (
            {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "game:ghost"},
            "LISTEN_FDS counts descriptor 4, 'ghost', which is not open",
        ),
    ],
)
def test_what_contradicts_itself_is_told(tcp: socket.socket, environment: dict[str, str], says: str) -> None:
    assert show("game", (tcp.fileno(), "game"), **environment)["error"] == says


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("file", "descriptor 3 is not a socket; allowed: ListenStream= in the socket unit"),
        ("datagram", "descriptor 3 is not a stream socket; allowed: ListenStream= in the socket unit"),
        ("connected", "descriptor 3 is not a listening socket; allowed: Accept=no in the socket unit"),
    ],
)
def test_what_nobody_can_accept_from_is_told(kind: str, says: str) -> None:
    ours, theirs = socket.socketpair()
    with (
        Path(os.devnull).open(encoding="ascii") as file,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        ours,
        theirs,
    ):
        fds = {"file": file.fileno(), "datagram": datagram.fileno(), "connected": ours.fileno()}
        assert show("game", (fds[kind], "game"))["error"] == says


def test_nothing_passed_is_no_error_until_it_is_wanted() -> None:
    environment = {"HOME": "/"}
    assert take_descriptors(environment, os.getpid()) == []
    assert environment == {"HOME": "/"}
    with pytest.raises(PassedError, match="FileDescriptorName=game"):
        PassedSockets().named("game")
