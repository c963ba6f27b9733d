"""Standard streams: a command may be started with some of them closed, as cron and careless scripts do."""

from __future__ import annotations

import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def complete_standard_streams() -> None:
    """Put /dev/null in the place of each closed one.

    Otherwise Python has `None` there, and the next file or socket that is opened gets its number, and with it
    all that is printed.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number, which is the missing one
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115
