"""The control socket: bounded in every direction, and the client that talks to it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commscaffoldd.master import control
from commscaffoldd.master.control import MAX_CLIENTS, MAX_REQUEST, ControlRequest, ControlServer
from commscaffoldd.master.control_client import ControlTimeout, NotPermitted, NotRunning, request


class Server:
    """A control server whose handler is the test's, turned by the test."""

    def __init__(self, loop: Any, path: Path) -> None:
        self.path = path
        self.handler: Callable[[ControlRequest], None] = lambda asked: asked.answer(echo=asked.message)
        self.loop = loop
        self.server = ControlServer(loop, path, self._handle)

    def _handle(self, asked: ControlRequest) -> None:
        self.handler(asked)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(0)
        client.connect(str(self.path))
        return client

    def read(self, client: socket.socket, ends: bytes = b"\n") -> bytes:
        received = b""

        def complete() -> bool:
            nonlocal received
            try:
                data = client.recv(65536)
            except BlockingIOError:
                return False
            received += data
            return not data or received.endswith(ends)

        self.loop.until(complete)
        return received

    def exchange(self, line: bytes) -> dict[str, Any]:
        with self.connect() as client:
            client.send(line)
            answer: dict[str, Any] = json.loads(self.read(client))
        return answer


@pytest.fixture
def server(loop: Any, folder: Path) -> Iterator[Server]:
    made = Server(loop, folder / "c.sock")
    yield made
    made.server.close()
    made.server.close_clients()


def test_the_socket_is_for_its_own_user_only(server: Server) -> None:
    assert server.path.stat().st_mode & 0o777 == 0o600


def test_a_request_is_answered_and_the_connection_closed(server: Server) -> None:
    with server.connect() as client:
        client.send(b'{"command":"status"}\n')
        lines = server.read(client, ends=b"nothing ends like this").splitlines()
    assert [json.loads(line) for line in lines] == [{"ok": True, "echo": {"command": "status"}}]


def test_what_the_handler_did_not_expect_is_told_to_the_client(server: Server) -> None:
    def fail(_asked: ControlRequest) -> None:
        raise ValueError("a fault")

    server.handler = fail
    answer = server.exchange(b'{"command":"status"}\n')
    assert answer == {"ok": False, "errors": ["unexpected ValueError in the master: a fault"], "exit_code": 1}


@pytest.mark.parametrize("line", [b"nonsense\n", b"x" * (MAX_REQUEST + 10), b"[]\n"])
def test_garbage_closes_its_own_connection_only(server: Server, line: bytes) -> None:
    with server.connect() as client:
        client.send(line)
        assert server.read(client) == b""
    assert server.exchange(b'{"command":"status"}\n')["ok"]


def test_the_number_of_clients_is_bounded(server: Server) -> None:
    asked: list[ControlRequest] = []
    server.handler = asked.append
    waiting = [server.connect() for _ in range(MAX_CLIENTS)]
    for client in waiting:
        client.send(b'{"command":"reload"}\n')
    server.loop.until(lambda: len(asked) == MAX_CLIENTS)
    refused = server.exchange(b"")
    assert "16 control clients" in refused["errors"][0]
    server.handler = lambda request: request.answer()
    for client in waiting:
        client.close()
    server.loop.until(lambda: len(server.server.fds()) == 1)
    assert server.exchange(b'{"command":"status"}\n')["ok"]


def test_clients_that_say_nothing_keep_nobody_out(server: Server) -> None:
    silent = [server.connect() for _ in range(MAX_CLIENTS + 4)]
    server.loop.until(lambda: len(server.server.fds()) == MAX_CLIENTS + 1)
    assert server.exchange(b'{"command":"status"}\n')["ok"]
    for client in silent:
        client.close()


def test_a_client_that_asks_nothing_is_closed(loop: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "IDLE", 0.05)
    server = Server(loop, folder / "c.sock")
    with server.connect() as client:
        assert server.read(client) == b""
    server.server.close()


def test_a_client_that_does_not_take_its_answer_is_closed(
    loop: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "IDLE", 0.05)
    server = Server(loop, folder / "c.sock")
    server.handler = lambda asked: asked.answer(text="x" * 1_000_000)
    with server.connect() as client:
        client.send(b'{"command":"status"}\n')
        loop.until(lambda: len(server.server.fds()) == 2)
        loop.until(lambda: len(server.server.fds()) == 1)
    server.server.close()


def test_progress_for_a_client_that_has_gone_is_no_error(server: Server) -> None:
    asked: list[ControlRequest] = []
    server.handler = asked.append
    with server.connect() as client:
        client.send(b'{"command":"reload"}\n')
        server.loop.until(lambda: asked)
    server.loop.until(lambda: len(server.server.fds()) == 1)
    asked[0].progress("still at it")
    asked[0].answer()


def test_a_path_left_behind_is_replaced(loop: Any, folder: Path) -> None:
    path = folder / "c.sock"
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(path))
    server = ControlServer(loop, path, lambda asked: asked.answer())
    server.close()
    server.close()
    assert not path.exists()


def in_thread(server: Server, call: Callable[[], Any]) -> Any:
    """The call's result or exception; the server is turned meanwhile."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:  # noqa: BLE001  # handed to the test
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    server.loop.until(lambda: outcome)
    thread.join()
    return outcome[0]


def test_the_client_passes_progress_on_and_returns_the_final_line(server: Server) -> None:
    def handle(asked: ControlRequest) -> None:
        asked.progress("one")
        asked.progress("two")
        asked.fail(["no"], 78)

    server.handler = handle
    progress: list[str] = []
    answer = in_thread(server, lambda: request(server.path, {"command": "reload"}, 20, progress.append))
    assert progress == ["one", "two"]
    assert answer == {"ok": False, "errors": ["no"], "exit_code": 78}


def test_the_client_waits_no_longer_than_told(server: Server) -> None:
    server.handler = lambda _asked: None
    answer = in_thread(server, lambda: request(server.path, {"command": "status"}, 0.05, print))
    assert isinstance(answer, ControlTimeout)
    assert "said nothing for 0.05 s" in str(answer)


def test_the_client_notices_that_the_master_goes(server: Server) -> None:
    server.handler = lambda _asked: server.server.close_clients()
    answer = in_thread(server, lambda: request(server.path, {"command": "status"}, 20, print))
    assert isinstance(answer, NotRunning)


def test_a_large_answer_comes_whole(server: Server) -> None:
    server.handler = lambda asked: asked.answer(rows=["x" * 100] * 10_000)
    answer = in_thread(server, lambda: request(server.path, {"command": "connections"}, 20, print))
    assert len(answer["rows"]) == 10_000


def test_nobody_there_is_not_running(folder: Path) -> None:
    for path in (folder / "none", folder / "none" / "none"):
        with pytest.raises(NotRunning, match="nobody answers"):
            request(path, {"command": "status"}, 1, print)


def test_another_users_socket_is_not_permitted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("commscaffoldd.master.control_client.socket.socket.connect", refuse)
    with pytest.raises(NotPermitted, match="not permitted"):
        request(folder / "c.sock", {"command": "status"}, 1, print)
