"""Opening listeners, taking them over, closing them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.config.schema import Listen
from commscaffoldd.master.listen_errors import ListenErrors
from commscaffoldd.master.listeners import ListenerSet

ANY = "127.0.0.1:0"


@pytest.fixture
def opened() -> Iterator[Callable[..., ListenerSet]]:
    """Opens sets that are closed in the end."""
    made: list[ListenerSet] = []

    def open_set(
        *listens: Listen, workers: int = 2, patience: float = 0.0, before: ListenerSet | None = None
    ) -> ListenerSet:
        made.append(ListenerSet.open(listens, workers, patience, before))
        return made[-1]

    yield open_set
    for one in made:
        one.close_except(None)


def answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_an_open_listener_answers_does_not_block_and_is_not_inherited(opened: Callable[..., ListenerSet]) -> None:
    listeners = opened(Listen(address=ANY))
    (only,) = listeners.sockets()
    assert not only.getblocking()
    assert not os.get_inheritable(only.fileno())
    assert only.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert not only.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    assert answers(listeners.addresses()[0])


def test_all_workers_share_one_socket(opened: Callable[..., ListenerSet]) -> None:
    listeners = opened(Listen(address=ANY), workers=3)
    assert listeners.for_worker(1) == listeners.for_worker(3)


def test_with_reuseport_each_slot_has_its_own_on_one_port(opened: Callable[..., ListenerSet]) -> None:
    listeners = opened(Listen(address=ANY, accept="reuseport"), workers=3)
    ports = {one.getsockname()[1] for one in listeners.sockets()}
    assert len(listeners.sockets()) == 3
    assert len(ports) == 1
    assert listeners.for_worker(1)[0][1] is not listeners.for_worker(2)[0][1]
    assert listeners.for_worker(1)[0][1] is listeners.for_worker(1)[0][1]


def test_ipv6_leaves_ipv4_alone(opened: Callable[..., ListenerSet]) -> None:
    try:
        listeners = opened(Listen(address="[::1]:0"))
    except ListenErrors as error:
        pytest.skip(str(error))
    assert listeners.sockets()[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    assert answers(listeners.addresses()[0])


def test_everything_that_is_wrong_is_told_and_nothing_stays_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ListenErrors) as raised:
            ListenerSet.open(
                [
                    Listen(address=f"127.0.0.1:{free}"),
                    Listen(address=taken),
                    Listen(address="192.0.2.1:1"),
                    Listen(address="no.such.host.invalid:1"),
                    Listen(address=f"unix:{tmp_path}/no/folder"[:100]),
                ],
                2,
                0.0,
            )
        assert not answers(f"127.0.0.1:{free}")
    texts = [str(error) for error in raised.value.errors]
    assert texts[0] == f"cannot listen on {taken}: another process listens there already (EADDRINUSE)"
    assert "no interface of this machine has that address (EADDRNOTAVAIL)" in texts[1]
    assert "no.such.host.invalid:1: the host is unknown" in texts[2]
    assert "the folder does not exist (ENOENT)" in texts[3]
    assert raised.value.exit_code == 1


def test_patience_waits_for_an_address_to_become_free(opened: Callable[..., ListenerSet]) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{other.getsockname()[1]}"
    closing = threading.Timer(0.2, other.close)
    closing.start()
    listeners = opened(Listen(address=address), patience=20.0)
    closing.join()
    assert listeners.addresses() == (address,)


def test_the_next_set_takes_over_what_it_still_has(opened: Callable[..., ListenerSet], folder: Path) -> None:
    path = folder / "u"
    before = opened(Listen(address=ANY), Listen(address=f"unix:{path}"))
    after = opened(Listen(address=ANY, layout="compact", backlog=7), before=before)
    assert after.sockets()[0] is before.sockets()[0]
    assert next(iter(after)).listen.layout == "compact"
    before.close_except(after)
    after.apply_backlogs()
    assert answers(after.addresses()[0])
    assert not path.exists()


def test_giving_up_the_next_set_leaves_the_first_alone(opened: Callable[..., ListenerSet], folder: Path) -> None:
    before = opened(Listen(address=ANY, accept="reuseport"), workers=1)
    after = opened(
        Listen(address=ANY, accept="reuseport"), Listen(address=f"unix:{folder}/u"), workers=3, before=before
    )
    assert len(after.sockets()) == 4
    after.close_except(before)
    assert not (folder / "u").exists()
    assert len(before.sockets()) == 1
    assert answers(before.addresses()[0])


def test_a_failed_next_set_leaves_the_first_alone(opened: Callable[..., ListenerSet]) -> None:
    before = opened(Listen(address=ANY))
    with pytest.raises(ListenErrors):
        opened(Listen(address=ANY), Listen(address="192.0.2.1:1"), before=before)
    assert answers(before.addresses()[0])


def test_sharing_cannot_become_reuseport(opened: Callable[..., ListenerSet]) -> None:
    before = opened(Listen(address=ANY))
    with pytest.raises(ListenErrors, match="a restart can"):
        opened(Listen(address=ANY, accept="reuseport"), before=before)
    opened(Listen(address=ANY, accept="mutex"), before=before)


def test_unix_sockets_know_no_reuseport(folder: Path) -> None:
    with pytest.raises(ListenErrors, match="allowed: exclusive, mutex") as raised:
        ListenerSet.open([Listen(address=f"unix:{folder}/u", accept="reuseport")], 1, 0.0)
    assert raised.value.exit_code == 78


def test_slots_come_and_go(opened: Callable[..., ListenerSet]) -> None:
    listeners = opened(Listen(address=ANY, accept="reuseport"), Listen(address=ANY), workers=1)
    listeners.grow(2)
    listeners.grow(2)
    assert len(listeners.sockets()) == 3
    listeners.shrink(2)
    assert len(listeners.sockets()) == 2
    listeners.shrink(2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen anywhere")
def test_a_port_for_root_is_no_permission() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest < 2:
        pytest.skip("here everybody may listen on every port")
    with pytest.raises(ListenErrors, match="EACCES") as raised:
        ListenerSet.open([Listen(address="127.0.0.1:1")], 1, 0.0)
    assert raised.value.exit_code == 4


def test_no_permission_wins_over_other_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("commscaffoldd.master.listener.open_socket", refuse)
    with pytest.raises(ListenErrors, match="needs root or CAP_NET_BIND_SERVICE") as raised:
        ListenerSet.open([Listen(address="no.such.host.invalid:1"), Listen(address=ANY)], 1, 0.0)
    assert raised.value.exit_code == 4
