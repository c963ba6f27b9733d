"""The generated TypeScript client talks to a running daemon, under Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import trustme

from commscaffoldd.core.layout import PRESETS
from tests.client.frame_server import frame_server
from tests.client.scripted_server import scripted_server
from tests.client.tls_proxy import tls_before
from tests.system.conftest import NewDaemon
from tests.system.daemon import ROOT, Daemon
from tests.typescript_tools import SOURCES, compiled, needs_typescript

pytestmark = needs_typescript

PLUGIN = """

from collections.abc import Iterator

from commscaffoldd import Refuse, handler


@handler(10)
def greet(request, body: Greeting) -> Answer:
    return Answer(" ".join([f"hello, {body.name}!"] * body.times))

@handler(12)
def shout(request, body: str) -> str:
    return body.upper()

@handler(13)
def everything(request, body: Everything) -> Everything:
    return body

@handler(14, format="json")
def everything_json(request, body: Everything) -> Everything:
    return body

@handler(15)
def forget(request, body: Point) -> None: ...

@handler(16)
def count(request, body: int) -> Iterator[int]:
    yield from range(body)

@handler(17)
def delete(request, body: Circle | Rect) -> Tree:
    return Tree(int(body.radius))

@handler(19)
def refuse(request) -> bytes:
    raise Refuse(1007, "not today")

@handler(20)
def silent(request) -> bytes | None:
    return None

@handler(21)
def push(request) -> bytes:
    request.connection.send(99, b"pushed")
    return b""
"""
MINE = {
    "fields": ["magic:u16=0xCAFE", "length:u24", "id:u16", "sequence:u64", "skip:u8"],
    "byte_order": "little",
    "length_counts": "frame",
}


NARROW = {"fields": ["length:u16", "id:u8", "sequence:u8"]}
PROGRAMS = {
    "standard": "conversation",
    "mine": "conversation",
    "compact": "plain",
    "erlang": "plain",
    "narrow": "plain",
}


@pytest.fixture(scope="module")
def talking(new_shared_daemon: NewDaemon) -> Daemon:
    """A running daemon with typed handlers, listeners of several layouts, and little patience with silence."""
    daemon = new_shared_daemon()
    daemon.plugin("sample", (ROOT / "tests" / "catalogue" / "bodies.py").read_text() + PLUGIN)
    daemon.configure(
        listen=[{"address": daemon.free_address(), "layout": layout} for layout in PROGRAMS],
        layout={"mine": MINE, "narrow": NARROW},
        heartbeat={"interval": 0.5, "misses": 2},
    )
    daemon.start()
    return daemon


@pytest.fixture(scope="module")
def programs(talking: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs, in a folder for each layout, with the clients that the daemon's own command generates for it."""
    folder = tmp_path_factory.mktemp("programs") / "made"
    addresses = {layout: talking.address(number) for number, layout in enumerate(PROGRAMS)}
    with ThreadPoolExecutor(2) as pool:
        clients = dict(zip(addresses, pool.map(partial(generated, talking), addresses.values()), strict=True))
    sources = {
        f"{layout}/generated.ts": clients[layout].replace(port(address), "DEFAULT_PORT = 1 ")
        for layout, address in addresses.items()
    }
    sources |= {f"{layout}/{name}.ts": (SOURCES / f"{name}.ts").read_text() for layout, name in PROGRAMS.items()}
    sources["standard/raw.ts"] = (SOURCES / "raw.ts").read_text()
    shutil.copytree(compiled(sources), folder, symlinks=True)
    for layout, address in addresses.items():
        made = folder / layout / "generated.js"
        made.write_text(made.read_text().replace("DEFAULT_PORT = 1;", f"{port(address)};"))
    return folder


def generated(daemon: Daemon, address: str) -> str:
    done = daemon.command("generate", "typescript", "--title", "Sample", "--listen", address)
    assert (done.code, done.err) == (0, "")
    return done.out


def port(address: str) -> str:
    """What is another one in each run, so that what was compiled once can be used again."""
    return f"DEFAULT_PORT = {address.rpartition(':')[2]}"


@contextmanager
def node(program: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    line = ["node", "--unhandled-rejections=strict", str(program), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.timeout(120)  # the compiler, on a busy machine
def test_a_conversation_that_goes_on_after_a_restart(talking: Daemon, programs: Path) -> None:
    with ExitStack() as stack:
        running = [stack.enter_context(node(programs / name / "conversation.js")) for name in ("standard", "mine")]
        for one in running:
            assert one.stdout is not None
            if one.stdout.readline() != "ready\n":
                pytest.fail(one.communicate(timeout=20)[1] + talking.log())
        talking.stop()
        talking.start()
        for one in running:
            out, errors = one.communicate("again\n", timeout=40)
            assert (one.returncode, out) == (0, "done\n"), errors


@pytest.mark.timeout(120)
@pytest.mark.parametrize("layout", [layout for layout, name in PROGRAMS.items() if name == "plain"])
def test_layouts_without_a_sequence_or_with_a_narrow_one(programs: Path, layout: str) -> None:
    with node(programs / layout / "plain.js") as running:
        out, errors = running.communicate(timeout=40)
    assert (running.returncode, out) == (0, "done\n"), errors


# -- what a daemon does not do when it is told to: a server that is played by hand -----------------------------


def told(running: subprocess.Popen[str]) -> list[object]:
    """What has become of the calls."""
    out, errors = running.communicate(timeout=20)
    assert running.returncode == 0, errors
    became: list[object] = json.loads(out)
    return became


@pytest.mark.timeout(120)
def test_what_had_not_been_read_before_go_away_is_sent_again(programs: Path) -> None:
    bodies = ("never answered", "answered", "not read", "nor this")
    with scripted_server() as server:
        number = server.address.rpartition(":")[2]
        with node(programs / "standard" / "raw.js", number, "", *bodies) as running:
            old = server.accept()
            assert old.read().body == b"login"
            requests = [old.read() for _ in bodies]
            old.reply(requests[1], b"once")
            old.go_away()
            old.close()
            new = server.accept()
            assert new.read().body == b"login"
            for _ in range(2):
                request = new.read()
                new.reply(request, request.body + b", on the new one")
            became = told(running)
    first = "ConnectionClosed: the server closed the connection"  # it may have been handled
    assert became == [first, "once", "not read, on the new one", "nor this, on the new one"]


@pytest.mark.timeout(120)
def test_who_is_always_sent_away_does_not_come_back_without_end(programs: Path) -> None:
    with scripted_server() as server:
        number = server.address.rpartition(":")[2]
        with node(programs / "standard" / "raw.js", number, "", "x"):
            begun = time.monotonic()
            times = 0
            while time.monotonic() < begun + 2:
                if server.somebody_waits(0.5):
                    peer = server.accept()
                    assert [peer.read().body, peer.read().body] == [b"login", b"x"]
                    peer.go_away()
                    peer.close()
                    times += 1
    assert 2 <= times <= 25


@pytest.mark.timeout(120)
def test_a_login_that_fails_leaves_no_connection_behind(programs: Path) -> None:
    with scripted_server() as server:
        number = server.address.rpartition(":")[2]
        with node(programs / "standard" / "raw.js", number) as running:
            peer = server.accept()
            peer.read()
            assert peer.at_end()
            peer.close()
            assert told(running) == ["Error: no login"]


@pytest.mark.timeout(120)
def test_it_speaks_tls_with_who_is_to_be_trusted(programs: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    trusted, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    authority.cert_pem.write_to_path(trusted)
    trustme.CA().cert_pem.write_to_path(other)
    standard = PRESETS["standard"]
    with (
        frame_server(lambda frame: standard.encode(*frame)) as server,
        tls_before(server.address, authority, "127.0.0.1") as address,
    ):
        number = address.rpartition(":")[2]
        with node(programs / "standard" / "raw.js", number, str(trusted), "by TLS") as running:
            assert told(running) == ["by TLS"]
        with node(programs / "standard" / "raw.js", number, str(other), "by TLS") as running:
            assert "certificate" in str(told(running))
