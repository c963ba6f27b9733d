"""The generated TypeScript client talks to a running daemon, under Node.js."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.system.daemon import ROOT, Daemon
from tests.typescript_tools import SOURCES, compile_all, needs_typescript

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


@pytest.fixture
def talking(daemon: Daemon) -> Daemon:
    """A running daemon with typed handlers, listeners of several layouts, and little patience with silence."""
    daemon.plugin("sample", (ROOT / "tests" / "catalogue" / "bodies.py").read_text() + PLUGIN)
    layouts = ("standard", "mine", "compact", "erlang")
    daemon.configure(
        listen=[{"address": daemon.free_address(), "layout": layout} for layout in layouts],
        layout={"mine": MINE},
        heartbeat={"interval": 0.5, "misses": 2},
    )
    daemon.start()
    return daemon


def compiled(daemon: Daemon, listeners: Sequence[int], program: str, folder: Path) -> list[Path]:
    """The program, compiled with the client that the daemon's own command generates for each of these listeners."""
    places = [folder / str(listener) for listener in listeners]
    for listener, place in zip(listeners, places, strict=True):
        place.mkdir()
        words = ("--title", "Sample", "--listen", daemon.address(listener), "-o", str(place / "generated.ts"))
        done = daemon.command("generate", "typescript", *words)
        assert (done.code, done.err) == (0, "")
        shutil.copy(SOURCES / program, place)
    compile_all(folder)  # all at once: it takes the compiler seconds to begin
    return [(place / program).with_suffix(".js") for place in places]


@pytest.mark.timeout(120)  # the compiler, on a busy machine
def test_a_conversation_that_goes_on_after_a_restart(talking: Daemon, tmp_path: Path) -> None:
    for program in compiled(talking, (0, 1), "conversation.ts", tmp_path):
        line = ["node", "--unhandled-rejections=strict", str(program)]
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as node:
            assert node.stdout is not None
            if node.stdout.readline() != "ready\n":
                pytest.fail(node.communicate(timeout=20)[1] + talking.log())
            talking.stop()
            talking.start()
            out, errors = node.communicate("again\n", timeout=40)
        assert (node.returncode, out) == (0, "done\n"), errors


@pytest.mark.timeout(120)
def test_layouts_without_a_sequence(talking: Daemon, tmp_path: Path) -> None:
    for program in compiled(talking, (2, 3), "plain.ts", tmp_path):
        done = subprocess.run(["node", str(program)], capture_output=True, text=True, check=False, timeout=40)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
