"""Addresses as a person writes them."""

from __future__ import annotations

import socket

import pytest

from commscaffoldd.core.address import MAX_UNIX_PATH, Address, describe_bound, describe_peer, systemd_name


@pytest.mark.parametrize("text", ["127.0.0.1:9000", "[::1]:9000", "example.org:0", "unix:/run/x.sock"])
def test_an_address_reads_back_as_it_was_written(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("9000", "is not an address; allowed: host:port"),
        (":9000", "is not an address"),
        ("host:", "is not an address"),
        ("host:-1", "is not an address"),
        ("host:٣", "is not an address"),
        ("host:65536", "port 65536 in 'host:65536' is out of range"),
        ("::1:9000", r"an IPv6 address stands in brackets: \[::1\]:9000"),
        ("unix:", "no path"),
        ("unix:" + "x" * (MAX_UNIX_PATH + 1), "is longer than 107 bytes"),
    ],
)
def test_what_is_no_address(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Address.parse(text)


def test_resolving() -> None:
    assert Address.parse("127.0.0.1:9000").resolve() == (socket.AF_INET, ("127.0.0.1", 9000))
    assert Address.parse("unix:/run/x.sock").resolve() == (socket.AF_UNIX, "/run/x.sock")


@pytest.mark.parametrize(
    ("sockaddr", "text"),
    [(("192.0.2.7", 51234), "192.0.2.7:51234"), (("::1", 80, 0, 0), "[::1]:80"), ("", "unix:"), (b"", "unix:")],
)
def test_peers_are_written_the_same_way(sockaddr: object, text: str) -> None:
    assert describe_peer(sockaddr) == text


@pytest.mark.parametrize(
    ("sockname", "text"),
    [
        (("192.0.2.7", 9000), "192.0.2.7:9000"),
        (("::", 80, 0, 0), "[::]:80"),
        ("/run/x.sock", "unix:/run/x.sock"),
        (b"\0x", "unix:@x"),
    ],
)
def test_so_are_addresses_that_somebody_else_has_bound(sockname: object, text: str) -> None:
    assert describe_bound(sockname) == text


@pytest.mark.parametrize(
    ("text", "name"), [("systemd:game", "game"), ("systemd:9000", "9000"), ("127.0.0.1:9000", None)]
)
def test_the_name_of_a_socket_that_systemd_passes(text: str, name: str | None) -> None:
    assert systemd_name(text) == name


@pytest.mark.parametrize(
    "text", ["systemd:", "systemd:a:b", "systemd:spa\u00df", "systemd:a\n", "systemd:" + "x" * 256]
)
def test_what_is_no_name_of_such_a_socket(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        systemd_name(text)
