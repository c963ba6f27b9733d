"""TLS: a proxy that speaks it stands before a server that does not; its certificate is made by the test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from commscaffoldd.client import Client, ConnectionClosed, Reconnect
from commscaffoldd.core.layout import PRESETS
from tests.client.both import Open, each_client
from tests.client.frame_server import frame_server
from tests.client.tls_proxy import tls_before

STANDARD = PRESETS["standard"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@each_client
def test_calls_over_tls(connect: Open, authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with (
        frame_server(lambda f: STANDARD.encode(*f)) as server,
        tls_before(server.address, authority, "127.0.0.1") as address,
        connect(address, tls=trusting, timeout=20, heartbeat=0.05) as client,
    ):
        large = bytes(3_000_000)
        calls = [client.begin(1, b"%d" % number) for number in range(50)] + [client.begin(1, large)]
        assert [call.result(20) for call in calls] == [b"%d" % number for number in range(50)] + [large]


@each_client
def test_the_certificate_may_be_anothers_if_that_is_said(
    connect: Open, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    with (
        frame_server(lambda f: STANDARD.encode(*f)) as server,
        tls_before(server.address, authority, "game.example.org") as address,
    ):
        with connect(address, tls=trusting, server_hostname="game.example.org") as client:
            assert client.call(1, b"x") == b"x"
        with (
            pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.1"),
            connect(address, tls=trusting),
        ):
            pass


@each_client
def test_a_certificate_that_nobody_trusts_is_refused(connect: Open, authority: trustme.CA) -> None:
    with (
        frame_server(lambda f: STANDARD.encode(*f)) as server,
        tls_before(server.address, authority, "127.0.0.1") as address,
        pytest.raises(ssl.SSLCertVerificationError),
        connect(address, tls=True),
    ):
        pass


@each_client
def test_a_server_that_speaks_no_tls_is_an_error_in_time(connect: Open) -> None:
    with (
        frame_server(lambda _: b"") as server,
        pytest.raises(OSError, match=r"not connected within 0\.2 seconds|EOF|closed|reset|handshake"),
        connect(server.address, tls=True, connect_timeout=0.2),
    ):
        pass


@each_client
def test_a_handshake_by_the_drop_is_an_error_in_time(connect: Open) -> None:
    """A server that always says a little more, and never enough."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def drip() -> None:
            with listener.accept()[0] as connection, contextlib.suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x20\x00")  # a record of 8 KiB begins
                for _ in range(100):
                    connection.sendall(b"\x00")
                    time.sleep(0.03)

        dripping = pool.submit(drip)
        begun = time.monotonic()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with (
            pytest.raises(TimeoutError, match=r"not connected within 0\.2 seconds"),
            connect(address, tls=True, connect_timeout=0.2),
        ):
            pass
        assert time.monotonic() - begun < 2
        dripping.result(10)


@each_client
def test_it_connects_anew_over_tls(connect: Open, authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    def answer(frame: tuple[int, int, bytes]) -> bytes | None:
        return None if frame[2] == b"die" else STANDARD.encode(*frame)

    with (
        frame_server(answer) as server,
        tls_before(server.address, authority, "127.0.0.1") as address,
        connect(address, tls=trusting, reconnect=Reconnect(first=0.01)) as client,
    ):
        with pytest.raises(ConnectionClosed, match="closed the connection"):
            client.call(1, b"die")
        assert client.call(1, b"back", retry=True) == b"back"


def test_a_name_without_tls_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="server_hostname is for TLS"):
        Client("127.0.0.1:1", server_hostname="game.example.org")
