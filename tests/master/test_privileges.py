"""Giving up root, in a process of its own since it cannot be taken back."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

import pytest

DROP = """
import os
from commscaffoldd.master.privileges import drop, wanted_identity
identity = wanted_identity("nobody", "")
drop(identity)
print(*os.getresuid(), *os.getresgid())
try:
    os.setuid(0)
except PermissionError:
    print("for good")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_user_for_good() -> None:
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run([sys.executable, "-c", DROP], capture_output=True, text=True, timeout=30, check=True)
    ids, last = done.stdout.splitlines()
    assert ids.split() == [str(nobody.pw_uid)] * 3 + [str(nobody.pw_gid)] * 3
    assert last == "for good"
