"""Runs a real master with made-up workers: `fake_daemon.py start|foreground CONFIG`. Not a test itself.

What a worker does stands in the configuration's `[plugin.fake]`:

    start = "ready" (default), "fail", "plugin", "raise", "die", "hang"
    stop = "exit" (default), "ignore"
    live = 0.2           a worker dies so many seconds after it was ready
    canary = "ok" (default), "refuse", "die", "hang"
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from commscaffoldd.config.load import load, parse
from commscaffoldd.log import LogFile
from commscaffoldd.master.daemonise import Ready, launch_daemon, run_foreground
from commscaffoldd.master.master import WorkerCode
from commscaffoldd.worker.canary import Canary, CanaryReport, read_report
from commscaffoldd.worker.launch import Launch


def worker(launch: Launch) -> None:
    fake = launch.config.plugin.get("fake", {})

    def say(**message: Any) -> None:
        launch.channel.sendall(json.dumps(message).encode() + b"\n")

    begin(fake, say)
    say(event="ready")
    if "live" in fake:
        time.sleep(fake["live"])
        os._exit(9)
    serve(launch, fake, say)
    os._exit(4)


def begin(fake: dict[str, Any], say: Callable[..., None]) -> None:
    match fake.get("start", "ready"):
        case "fail":
            say(event="failed", kind="start", errors=["no luck", "none at all"])
            os._exit(3)
        case "plugin":
            say(event="failed", kind="plugin", errors=["plugin greet: greet.py:3: wrong"])
            os._exit(3)
        case "raise":
            raise RuntimeError("out of the blue")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(3600)


def serve(launch: Launch, fake: dict[str, Any], say: Callable[..., None]) -> None:
    for line in launch.channel.makefile("rb"):
        command = json.loads(line)
        name, request = command["command"], command.get("request")
        if name == "quit" or (name == "stop" and fake.get("stop") != "ignore"):
            os._exit(0)
        elif name == "reopen":
            launch.log.reopen()
            say(event="answer", request=request, ok=True)
        elif name == "connections":
            say(event="answer", request=request, connections=[{"id": f"{launch.number}-1"}])
        elif name == "routes":
            fds = [[fd, _link(fd)] for fd in _open_fds()]
            say(event="answer", request=request, routes=[_facts(launch, fds)])


def _facts(launch: Launch, fds: list[Any]) -> dict[str, Any]:
    ignored = int(Path("/proc/self/status").read_text().split("SigIgn:")[1].split()[0], 16)
    return {
        "fds": fds,
        "listeners": [one.socket.fileno() for one in launch.sockets],
        "channel": launch.channel.fileno(),
        "orders": launch.orders.fileno(),
        "log": launch.log.fileno(),
        "hup_ignored": bool(ignored & 1),
        "notify": os.environ.get("NOTIFY_SOCKET"),
        "max": launch.config.connections.max,
        "umask": os.umask(0o027),
        "folder": str(Path.cwd()),
    }


def _open_fds() -> list[int]:
    return sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


def _link(fd: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return "listing"  # the descriptor by which the folder was read


class FakeCanary:
    """A canary that reads the configuration and does what it says."""

    @staticmethod
    def fork_canary(path: Path, _log: LogFile, close_fds: Iterable[int], *_: object) -> Canary:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            for fd in close_fds:
                os.close(fd)
            text = path.read_text()
            told = parse(text, path).plugin["fake"].get("canary", "ok")
            if told == "hang":
                time.sleep(3600)
            if told == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            report = {"ok": told == "ok", "errors": ["greet.py:7: no"] * (told != "ok"), "config_text": text}
            os.write(writing, json.dumps(report).encode() + b"\n")
            os._exit(0)
        os.close(writing)
        return Canary(pid, reading)

    @staticmethod
    def read_report(data: bytes, wait_status: int) -> CanaryReport:
        return read_report(data, wait_status)


def tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> int:
    config = load(Path(sys.argv[2]))
    code = WorkerCode(worker, FakeCanary())
    if sys.argv[1] == "start":
        result = dataclasses.asdict(launch_daemon(config, code))
        tell(json.loads(json.dumps(result, default=str)))
        return 0

    def on_ready(word: Ready) -> None:
        ready = {"pid": word.pid, "listening": word.listening, "workers": word.workers}
        tell({"ready": ready})

    def on_failed(errors: tuple[str, ...]) -> None:
        tell({"failed": errors})

    return run_foreground(config, on_ready, on_failed, code)


if __name__ == "__main__":
    sys.exit(main())
