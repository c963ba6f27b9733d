"""The soft limit of open files. Each case in a process of its own: a limit is the whole process's."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import resource, sys
from commscaffoldd.client.descriptors import TooManyConnections, allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])))
try:
    allow_connections(int(sys.argv[2]))
except TooManyConnections as error:
    print(error)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def outcome(hard: int, connections: int) -> list[str]:
    command = [sys.executable, "-c", SCRIPT, str(hard), str(connections)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_the_soft_limit_grows_to_what_the_connections_need() -> None:
    assert outcome(4096, 1000) == ["1064"]


def test_a_soft_limit_that_is_large_enough_stays() -> None:
    assert outcome(4096, 100) == ["256"]


def test_a_hard_limit_that_is_too_low_is_said() -> None:
    said, limit = outcome(512, 1000)
    assert said == (
        "1000 connections need 1064 open files, but the hard limit is 512 (ulimit -Hn): at most 448 connections"
    )
    assert limit == "256"
