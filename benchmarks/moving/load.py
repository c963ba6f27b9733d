"""The driver's end of the clients' process."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from benchmarks.moving.daemon import BenchmarkError


class Load:
    """A context manager: the clients' process runs inside. Each method waits for its answer."""

    def __init__(self, address: str, connections: int, think: float) -> None:
        line = [sys.executable, "-m", "benchmarks.moving.clients", address, str(connections), str(think)]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        """Connect all clients."""
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the process end."""
        self._process.communicate()

    def connect(self) -> int:
        """Replace connections that have ended; how many."""
        return int(self._ask("connect")["new"])

    def label(self, name: str) -> float:
        """Pauses from now on count there; the longest one since the last time, in seconds."""
        return float(self._ask("label", name=name)["longest"])

    def settle(self) -> tuple[list[int], int]:
        """Wait until all get replies; who had served those that have ended, and how many got none."""
        answer = self._ask("settle")
        return answer["ended"], answer["silent"]

    def finish(self) -> dict[str, Any]:
        """Send no more; faults, disconnects and pauses by label."""
        return self._ask("finish")

    def _ask(self, command: str, **arguments: str) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None, "it has a pipe"
        assert stdout is not None, "it has a pipe"
        stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise BenchmarkError("the clients' process has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
