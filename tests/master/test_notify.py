"""What systemd is told, and by whom."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commscaffoldd.master.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, socket.socket]]:
    """An address as systemd gives it, and the socket that it means."""
    name = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(20)
        if request.param == "abstract":
            receiver.bind("\0" + name)
            yield "@" + name, receiver
        else:
            receiver.bind(name)
            yield name, receiver


def test_ready_status_and_stopping(manager: tuple[str, socket.socket]) -> None:
    address, receiver = manager
    notifier = Notifier(address)
    notifier.ready("2 workers\nserve")
    assert receiver.recv(4096).decode().splitlines() == [
        "READY=1",
        "STATUS=2 workers serve",
        f"MAINPID={os.getpid()}",
    ]
    notifier.status("fine")
    assert receiver.recv(4096) == b"STATUS=fine"
    notifier.stopping("bye")
    assert receiver.recv(4096) == b"STOPPING=1\nSTATUS=bye"


def test_reloading_says_when_in_the_same_datagram(manager: tuple[str, socket.socket]) -> None:
    before = time.monotonic_ns() // 1000
    Notifier(manager[0]).reloading("reloading")
    lines = manager[1].recv(4096).decode().splitlines()
    assert lines[0] == "RELOADING=1"
    name, _, moment = lines[1].partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(moment) <= time.monotonic_ns() // 1000


def test_the_address_is_taken_out_of_the_environment() -> None:
    environment = {"NOTIFY_SOCKET": "/nowhere", "HOME": "/"}
    Notifier.from_environment(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1234", "@" + "x" * 200])
def test_nobody_listening_is_no_error(address: str) -> None:
    Notifier(address).ready("fine")


def test_descriptors_to_keep_travel_with_their_name(manager: tuple[str, socket.socket], folder: Path) -> None:
    address, receiver = manager
    with (folder / "one").open("w") as one, (folder / "two").open("w") as two:
        assert Notifier(address).store("a/b", [one.fileno(), two.fileno()])
        data, fds, _, _ = socket.recv_fds(receiver, 4096, 10)
    assert data == b"FDSTORE=1\nFDNAME=a/b\nFDPOLL=0"
    assert [Path(f"/proc/self/fd/{fd}").readlink().name for fd in fds] == ["one", "two"]
    for fd in fds:
        os.close(fd)
    Notifier(address).forget("a/b")
    assert receiver.recv(4096) == b"FDSTOREREMOVE=1\nFDNAME=a/b"


def test_more_descriptors_than_a_datagram_holds_go_in_several(manager: tuple[str, socket.socket]) -> None:
    address, receiver = manager
    assert Notifier(address).store("many", [receiver.fileno()] * 300)
    counts = []
    for _ in range(2):
        _, fds, _, _ = socket.recv_fds(receiver, 4096, 253)
        counts.append(len(fds))
        for fd in fds:
            os.close(fd)
    assert counts == [253, 47]


def test_whoever_keeps_nothing_is_known_not_to() -> None:
    assert not Notifier("/nowhere/at/all").store("a", [0])
