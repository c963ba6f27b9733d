"""A real worker, forked without a master: the test holds the master's end of the channel."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commscaffoldd.config.load import parse
from commscaffoldd.core.counters import Statistics
from commscaffoldd.log import open_log
from commscaffoldd.worker.launch import Launch, ListenSocket
from commscaffoldd.worker.process import run_worker
from tests.core.peers import Peer
from tests.core.waiting import wait_until

PLUGIN = """
import os, time
from commscaffoldd import handler, hookimpl

@handler(1)
def echo(request):
    return request.body

@handler(2, inline=True)
def pid(request):
    return b"%d" % os.getpid()

@handler(3)
def slow(request):
    time.sleep(float(request.body))
    return b"slept"

@hookimpl
def worker_stopping(worker):
    with open(os.path.join(os.path.dirname(__file__), "stopped"), "w") as file:
        file.write(str(worker.number))
"""


class Forked:
    """A running worker."""

    def __init__(
        self, pid: int, channel: socket.socket, statistics: Statistics, where: list[Any], folder: Path
    ) -> None:
        self.pid = pid
        self.channel = channel
        self.statistics = statistics
        self.where = where
        self.folder = folder
        self.lines = channel.makefile("rb")
        self.status: int | None = None
        self.peers: list[Peer] = []

    def hear(self) -> dict[str, Any]:
        """The worker's next line; {} at the end."""
        return json.loads(self.lines.readline() or b"{}")  # type: ignore[no-any-return]

    def tell(self, **command: Any) -> None:
        self.channel.sendall(json.dumps(command).encode() + b"\n")

    def ask(self, **command: Any) -> dict[str, Any]:
        self.tell(**command)
        return self.hear()

    def connect(self, index: int = 0) -> Peer:
        peer = Peer(socket.create_connection(self.where[index]))
        self.peers.append(peer)
        return peer

    def call(self, peer: Peer, message_id: int, body: bytes = b"") -> bytes:
        before = len(peer.bodies())
        peer.send(message_id, body)
        wait_until(lambda: len(peer.bodies()) > before)
        return peer.bodies()[-1]

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        wait_until(self.ended)
        assert self.status is not None
        return self.status

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextlib.contextmanager
def forked_worker(folder: Path, text: str = "", plugin: str = PLUGIN, listeners: int = 1) -> Iterator[Forked]:
    """A worker with one plugin in `folder`, and a configuration made of this text."""
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "greet.py").write_text(plugin)
    listen = "".join(f'[[listen]]\naddress = "127.0.0.1:{n}"\n' for n in range(9001, 9001 + listeners))
    if "accept" in text:
        head, _, text = text.partition("\n")
        listen = listen.replace("\n[[", f"\n{head}\n[[") + head + "\n"
    config = parse(f'{text}\n[plugins]\npath = ["plugins"]\n{listen}', folder / "x.toml")
    sockets = [ListenSocket(one, socket.create_server(("127.0.0.1", 0), backlog=100)) for one in config.listen]
    for one in sockets:
        one.socket.setblocking(False)
    where = [one.socket.getsockname() for one in sockets]
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    our_orders, their_orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    statistics = Statistics(1)
    log = open_log(folder / "log", "info", "text")
    pid = _fork()
    if pid == 0:
        try:
            ours.close()
            our_orders.close()
            log.install("worker 7")
            row = statistics.row(0)
            run_worker(Launch(7, config, sockets, theirs, their_orders, log, row, folder / "accept.lock"))
        finally:
            os._exit(99)
    theirs.close()
    their_orders.close()
    for one in sockets:
        one.socket.close()
    log.close()
    worker = Forked(pid, ours, statistics, where, folder)
    try:
        yield worker
    finally:
        if not worker.ended():
            worker.kill(signal.SIGKILL)
            worker.wait()
        worker.lines.close()
        ours.close()
        our_orders.close()
        for peer in worker.peers:
            peer.close()


def _fork() -> int:
    """Fork; the test runner's own threads are asleep, and the child needs none of their locks."""
    import warnings

    with warnings.catch_warnings():
        if threading.active_count() > 1:
            warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
