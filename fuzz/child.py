"""The process that fuzzes: `fuzz.run` starts it with the sanitized build, and saves the input that ends it."""

from __future__ import annotations

import argparse
import mmap
import shutil
import sys
import time
from pathlib import Path
from typing import Final

import fuzz_loop  # these two are built by fuzz.sanitized
import fuzz_target

from commscaffoldd.core.native import header
from fuzz.inputs import CORPUS, DEFAULT_ID, LAYOUTS
from fuzz.sanitized import FUZZ

STEP: Final = 20_000  # executions between two looks at the clock
EVERY: Final = 2.0  # seconds between two lines


def main() -> None:
    """Execute the corpus, then mutations of it, or the inputs that are given and nothing else."""
    parser = argparse.ArgumentParser()
    parser.add_argument("current", type=Path, help="the file in whose memory inputs are made")
    parser.add_argument("--executions", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--found", type=Path)
    parser.add_argument("inputs", nargs="*", type=Path)
    options = parser.parse_args()
    assert Path(header.__file__).is_relative_to(FUZZ.folder), f"not the sanitized build: {header.__file__}"
    # `max_body` and the policy are the input's to choose.
    fuzz_target.set_layouts([header.Header(one, max_body=1, default_id=DEFAULT_ID) for one in LAYOUTS.values()])
    with options.current.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    fuzzer = fuzz_loop.Fuzzer(memory, options.seed)
    given = options.inputs or sorted(CORPUS.iterdir())
    for path in given:
        if failure := fuzzer.add(path.read_bytes()):
            sys.exit(f"{path}: {failure}")
    if options.inputs:
        print(f"{len(given)} inputs, and nothing is wrong")
        return
    mutate(fuzzer, options.executions, options.seed)
    if options.found is not None:
        save_found(fuzzer, len(given), options.found)


def mutate(fuzzer: fuzz_loop.Fuzzer, executions: int, seed: int) -> None:
    """Execute so many inputs in all, and say now and then how far it is."""
    began, next_line = time.monotonic(), 0.0
    while (left := executions - fuzzer.executions) > 0:
        if failure := fuzzer.run(min(left, STEP)):
            sys.exit(f"after {fuzzer.executions} executions, seed {seed}: {failure}")
        now = time.monotonic()
        if now >= next_line or left <= STEP:
            next_line = now + EVERY
            rate = fuzzer.executions / (now - began)
            print(
                f"{fuzzer.executions} executions, {rate:.0f}/s, {fuzzer.inputs} inputs, {fuzzer.edges} edges",
                flush=True,
            )


def save_found(fuzzer: fuzz_loop.Fuzzer, first: int, folder: Path) -> None:
    """Write the inputs that have reached something new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for index in range(first, fuzzer.inputs):
        (folder / f"{index:05}").write_bytes(fuzzer.input(index))


if __name__ == "__main__":
    main()
