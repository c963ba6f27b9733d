"""Becomes a command with descriptors passed as systemd does it: `as_service.py FD:NAME… -- COMMAND`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    split = sys.argv.index("--")
    passed = [word.partition(":") for word in sys.argv[1:split]]
    # first away from where they shall go, since one may be where another belongs
    copies = [os.dup(int(fd)) for fd, _, _ in passed]
    for fd, _, _ in passed:
        os.set_inheritable(int(fd), False)
    last = 3 + len(passed)
    while any(copy < last for copy in copies):
        copies = [os.dup(copy) if copy < last else copy for copy in copies]
    for number, copy in enumerate(copies, start=3):
        os.dup2(copy, number, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(passed))
    os.environ["LISTEN_FDNAMES"] = ":".join(name for _, _, name in passed)
    command = sys.argv[split + 1 :]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
