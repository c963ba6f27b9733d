"""The soft limit of open files. Each case in a process of its own: a limit is the whole process's."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import logging, resource, sys
from commscaffoldd.worker.limits import raise_descriptor_limit
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])))
raise_descriptor_limit(1000)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def outcome(hard: int) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(hard)], check=True, capture_output=True, text=True)
    return done.stdout.strip(), done.stderr


def test_the_soft_limit_grows_to_what_the_connections_need() -> None:
    assert outcome(4096) == ("1128", "")


def test_a_hard_limit_that_is_too_low_is_said() -> None:
    limit, said = outcome(512)
    assert limit == "512"
    assert "the limit of open files is 512, too few for connections.max = 1000: 1128 are needed" in said
