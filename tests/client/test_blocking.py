"""What only the blocking client has: forks, and callbacks on its own threads."""

from __future__ import annotations

import os
import threading

import pytest

from commscaffoldd.client import Client, ClientError, Push
from commscaffoldd.core.layout import PRESETS
from tests.client.frame_server import frame_server
from tests.client.scripted_server import scripted_server

STANDARD = PRESETS["standard"]


def test_a_client_made_before_a_fork_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, Client(server.address) as client:
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            for use in (client.call, client.send):
                with pytest.raises(ClientError, match="made before a fork; make one in each process"):
                    use(1, b"x")
            client.close()  # the parent's connection is left alone
        assert client.call(1, b"x") == b"x"


def test_a_callback_may_close_the_client() -> None:
    closed = threading.Event()

    def close(push: Push) -> None:
        assert push.body == b"bye"
        client.close()
        closed.set()

    with scripted_server() as server, Client(server.address, on_push=close) as client:
        peer = server.accept()
        peer.send(5, 0, b"bye")
        assert closed.wait(10)
        assert peer.at_end()
