"""The limits of open files. Each case in a process of its own: a limit is the whole process's."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from commscaffoldd.core.descriptors import allow_descriptors, most_descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))
allow_descriptors(int(sys.argv[1]))
print(most_descriptors(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("number", "soft"),
    [
        pytest.param(255, 256, id="never-lowered"),
        pytest.param(256, 256, id="enough"),
        pytest.param(257, 257, id="raised"),
        pytest.param(512, 512, id="to-the-hard-limit"),
    ],
)
def test_the_soft_limit_grows_as_far_as_is_needed(number: int, soft: int) -> None:
    command = [sys.executable, "-c", SCRIPT, str(number)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == f"512 {soft} 512\n"
