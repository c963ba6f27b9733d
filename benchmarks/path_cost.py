"""Where a message's instructions go: the path from socket to handler and back under callgrind, nothing else.

    python -m benchmarks.path_cost                        # both engines, both modes: instructions a message
    python -m benchmarks.path_cost native pool --top 20   # one of them, with the functions that cost most

Counts hardly depend on what else the machine does. They are of user space: system calls' work in the kernel is not in
them. Counting begins when the server is up. Needs valgrind.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from commscaffoldd.core.accept import Listener
from commscaffoldd.core.assembly import Core
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.core.engine import EngineName
from commscaffoldd.core.layout import PRESETS
from commscaffoldd.core.path import PathSettings
from commscaffoldd.core.reactor import Lifecycle
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Mode, Route
from commscaffoldd.core.settings import BusinessSettings, ConnectionSettings, FrameSettings

CONNECTIONS: Final = 10
MESSAGES: Final = 16_000
CONTROL: Final = shutil.which("callgrind_control") or "callgrind_control"


def echo(request: Request) -> bytes:
    """What is measured: the least that a handler can do."""
    return request.body


def serve(engine: EngineName, mode: Mode, in_flight: int, messages: int) -> None:
    """Be the server, in this process, for so many messages; the client is a child."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    layout = PRESETS["standard"]
    endpoint = Endpoint.make("127.0.0.1:0", layout, default_id=1, control_ids=False)
    child = os.fork()
    if child == 0:  # its first messages wait in the listener's backlog until the server is up
        talk(listening.getsockname(), layout.encode(1, 0, bytes(64)), in_flight, messages)
        os._exit(0)
    core = Core(
        engine,
        PathSettings(
            listeners=[Listener(listening, endpoint, "exclusive")],
            frame=FrameSettings(),
            connections=ConnectionSettings(),
            business=BusinessSettings(),
            routes={1: Route(1, echo, "benchmark", "echo", mode)},
            flood=None,
            worker=1,
            mutex=None,
        ),
        Lifecycle(),
        tick=lambda _: None,
    )
    core.start()
    subprocess.run([CONTROL, "--instr=on", str(os.getpid())], capture_output=True, check=True)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        core.reactor._turn(0.01)  # noqa: SLF001  # `run` does not end before a signal
    os._exit(0)


def talk(where: tuple[str, int], frame: bytes, in_flight: int, messages: int) -> None:
    """Be the client."""
    clients = [socket.create_connection(where) for _ in range(CONNECTIONS)]
    batch = frame * in_flight
    for _ in range(messages // (CONNECTIONS * in_flight)):
        for client in clients:
            client.sendall(batch)
        for client in clients:
            left = len(batch)
            while left:
                left -= len(client.recv(left))


def instructions(engine: str, mode: str, in_flight: int, folder: Path) -> tuple[int, Path]:
    """One run under callgrind: all instructions of the server's process, and the file with where they went."""
    out = folder / f"{engine}-{mode}-{in_flight}"
    command = [
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        f"--callgrind-out-file={out}.%p",
        sys.executable,
        "-m",
    ]
    command += ["benchmarks.path_cost", engine, mode, "--serve", str(MESSAGES), "--in-flight", str(in_flight)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": "0"}
    )
    counts = [int(found) for found in re.findall(r"Collected : (\d+)", done.stderr)]
    if done.returncode != 0 or not counts:
        sys.exit(f"path_cost: the run under callgrind failed:\n{done.stderr[-2000:]}")
    files = sorted(folder.glob(f"{out.name}.*"), key=lambda path: path.stat().st_mtime)
    return counts[-1], files[-1]  # the server outlives the client


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.path_cost", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("engine", nargs="?", choices=["python", "native"])
    parser.add_argument("mode", nargs="?", choices=["inline", "pool"])
    parser.add_argument("--in-flight", type=int, help="messages of each connection under way (1 and 16)")
    parser.add_argument("--top", type=int, default=0, help="show so many functions")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.engine, options.mode, options.in_flight, options.serve)
    if shutil.which("valgrind") is None:
        sys.exit("path_cost: valgrind is not installed")
    print("engine  mode    in flight  instructions a message")
    with tempfile.TemporaryDirectory() as name:
        for engine in [options.engine] if options.engine else ["python", "native"]:
            for mode in [options.mode] if options.mode else ["inline", "pool"]:
                for in_flight in [options.in_flight] if options.in_flight else [1, 16]:
                    count, file = instructions(engine, mode, in_flight, Path(name))
                    print(f"{engine:7} {mode:7} {in_flight:9}  {count / MESSAGES:22,.0f}", flush=True)
                    if options.top:
                        annotate = ["callgrind_annotate", str(file)]
                        found = subprocess.run(annotate, capture_output=True, text=True, check=True).stdout
                        print("\n".join(found.splitlines()[: options.top + 25]))


if __name__ == "__main__":
    main()
