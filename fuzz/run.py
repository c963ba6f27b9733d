"""Fuzzes the frame cutter with AddressSanitizer and UndefinedBehaviorSanitizer; `make fuzz` runs this.

python -m fuzz.run --executions 1000000      mutations of the corpus
python -m fuzz.run FILE ...                  these inputs only, to see again what went wrong
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from fuzz import sanitized

ROOM: Final = 1 << 14  # bytes of the largest input, with its size in front
CRASHES: Final = sanitized.FUZZ.folder / "crashes"


def main() -> None:
    """Build, run the fuzzer in a process of its own, and save the input that ended it."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description="Fuzz the native frame cutter.")
    parser.add_argument("--executions", type=int, default=1_000_000, help="how many inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the random numbers")
    parser.add_argument("--found", type=Path, help="write inputs that reach something new into this folder")
    parser.add_argument("inputs", nargs="*", type=Path, help="execute these, and mutate nothing")
    options = parser.parse_args()
    if missing := sanitized.why_not():
        sys.exit(f"the fuzzer cannot be built: {missing}")
    for path in options.inputs:
        if not path.is_file():
            sys.exit(f"{path}: no such file")
    inputs = [path.resolve() for path in options.inputs]
    found = [f"--found={options.found.resolve()}"] if options.found else []
    os.chdir(sanitized.ROOT)
    sanitized.make(sanitized.FUZZ)
    coverage = sanitized.make_coverage(sanitized.FUZZ.folder)
    current = sanitized.FUZZ.folder / f"current-{os.getpid()}"
    current.write_bytes(bytes(ROOM))
    arguments = [f"--executions={options.executions}", f"--seed={options.seed}", *found, current, *inputs]
    try:
        code = subprocess.run(
            [sys.executable, "fuzz/child.py", *arguments],
            env=sanitized.environment(sanitized.FUZZ, coverage),
            check=False,
        ).returncode
        if code not in {0, -signal.SIGINT}:
            sys.exit(save(current.read_bytes(), code))
    except KeyboardInterrupt:
        sys.exit(1)
    finally:
        current.unlink()


def save(memory: bytes, code: int) -> str:
    """Save the input that was being executed; gives what to tell."""
    size = int.from_bytes(memory[:4], sys.byteorder)
    CRASHES.mkdir(parents=True, exist_ok=True)
    path = CRASHES / f"crash-{time.time_ns()}"
    path.write_bytes(memory[4 : 4 + size])
    shown = path.relative_to(sanitized.ROOT)
    return f"the fuzzer ended with {code}; its last input is saved, to be seen again by: make fuzz FUZZ={shown}"


if __name__ == "__main__":
    main()
