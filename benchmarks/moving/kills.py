"""What disturbs the clients in war: during a handover a process is killed, and nobody else's client may notice."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from typing import Final

from benchmarks.moving.daemon import BenchmarkError, Daemon, kill, wait_for
from benchmarks.moving.load import Load

LATEST: Final = 0.015  # seconds after the new workers have appeared
KINDS: Final = ("receiver", "sender", "master")


class Kills:
    """Rounds, each with a reload and a death.

    Attributes:
        done: how many, by kind.
        ended: connections that ended, by kind, and by where they had been.
        wronged: connections that ended though they were on no process that was killed, or got no replies any more.
    """

    def __init__(self, daemon: Daemon, load: Load, seed: int) -> None:
        self._daemon = daemon
        self._load = load
        self._chance = random.Random(seed)  # noqa: S311  # no secret
        self.done: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.wronged: list[str] = []

    def run(self, kinds: tuple[str, ...], times: int) -> None:
        """So many deaths, of these kinds in turn."""
        for number in range(times):
            self._round(kinds[number % len(kinds)])

    def _round(self, kind: str) -> None:
        daemon = self._daemon
        old = daemon.ready()
        self._load.label(f"kill of a {kind}")
        reload = daemon.begin("reload")
        new = wait_for("new workers", lambda: self._newcomers(old))
        time.sleep(self._chance.random() * LATEST)
        victim = {"receiver": new, "sender": old, "master": {daemon.master}}[kind]
        pid = self._chance.choice(sorted(victim))
        alive = kill(pid)
        with contextlib.suppress(BenchmarkError):
            reload.communicate(timeout=60)
        if kind == "master":
            self._start_again()
        wait_for("all workers", self._whole)
        time.sleep(0.1)
        ended, silent = self._load.settle()
        self._judge(kind, pid, old, ended, silent)
        self.done[kind if alive else f"{kind}, that had ended already"] += 1
        self._load.label("after a kill")
        self._load.connect()

    def _newcomers(self, old: set[int]) -> set[int]:
        with contextlib.suppress(OSError):
            return self._daemon.ready() - old
        return set()

    def _whole(self) -> bool:
        with contextlib.suppress(OSError):
            return self._daemon.is_whole()
        return False

    def _start_again(self) -> None:
        """Workers end within a second of their master; until then the new one may not get its port."""
        deadline = time.monotonic() + 20
        while True:
            try:
                self._daemon.command("start")
            except BenchmarkError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _judge(self, kind: str, pid: int, old: set[int], ended: list[int], silent: int) -> None:
        if silent:
            self.wronged.append(f"{silent} got no reply any more after the kill of a {kind}")
        for server in ended:
            if kind == "master" or server == pid:
                self.ended[kind, "was on it"] += 1
            elif kind == "receiver" and server in old:  # it may have been under way, or there without a reply yet
                self.ended[kind, "was on its way to it"] += 1
            else:
                self.wronged.append(f"a client of {server} was cut off by the kill of a {kind}, {pid}")
