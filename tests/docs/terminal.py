"""A reader's terminals: commands are typed as a page shows them, and what they show is compared with the page.

In what a page shows, `…` stands for anything, and on a line of its own for any lines; times of day and durations
may differ.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.system.environment import persons_environment
from tests.system.waiting import wait_until

PATIENCE: Final = 30.0  # seconds for a command, on a busy machine

_ANY_LINES: Final = "…\n"
_CLOCK: Final = r"\d\d:\d\d:\d\d"
_DURATION: Final = r"[\d.]+ ?(?:µs|ms|s)\b *"
_RULE: Final = r"={5,}"
_VARIES: Final = re.compile(f"(?P<any>…)|(?P<clock>{_CLOCK})|(?P<duration>{_DURATION})|(?P<rule>{_RULE})")
_AS: Final = {"any": ".*", "clock": _CLOCK, "duration": _DURATION, "rule": _RULE}


class Typed(NamedTuple):
    """One command, what is typed into it, and what is shown."""

    command: str
    lines: tuple[str, ...]
    shown: str


def typed(text: str) -> Iterator[Typed]:
    """The commands of a console block; what is typed into one stands behind its prompt, which ends with `> `."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, rest = part.partition("\n")
        prompt = re.compile(r"^127\.0\.0\.1:\d+> (.*)\n", re.MULTILINE)
        yield Typed(command, tuple(prompt.findall(rest)), prompt.sub("", rest))


def pattern(shown: str) -> re.Pattern[str]:
    """What a program may show where the page shows this."""
    lines = shown.splitlines(keepends=True)
    return re.compile("".join(r"(?:.*\n)*?" if line == _ANY_LINES else _line_pattern(line) for line in lines))


def _line_pattern(line: str) -> str:
    parts, end = [], 0
    for found in _VARIES.finditer(line):
        parts += [re.escape(line[end : found.start()]), _AS[str(found.lastgroup)]]
        end = found.end()
    return "".join([*parts, re.escape(line[end:])])


class Shell:
    """The second terminal: one command after another.

    Attributes:
        folder: where it is; `cd` changes that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str, lines: tuple[str, ...] = ()) -> tuple[int, str]:
        """Exit code, and what it shows."""
        place = self.folder / ".folder"
        done = subprocess.run(
            ["bash", "-c", f"{command}\ncode=$?; pwd > {place}; exit $code"],
            cwd=self.folder,
            input="".join(f"{line}\n" for line in lines),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            env=environment(),
            check=False,
        )
        self.folder = Path(place.read_text().strip())
        place.unlink()
        return done.returncode, done.stdout


class Server:
    """The first terminal, in which a command goes on showing lines."""

    def __init__(self, command: str, folder: Path, output: Path) -> None:
        self._output = output
        self._seen = 0
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                command.split(), cwd=folder, stdout=file, stderr=subprocess.STDOUT, env=environment()
            )

    def shows(self, shown: str) -> None:
        """Wait until it has shown this, after what was waited for before."""
        wanted = pattern(shown)
        wait_until(lambda: wanted.search(self._output.read_text(), self._seen), what=f"{shown} in {self._rest()}")
        found = wanted.search(self._output.read_text(), self._seen)
        assert found is not None
        self._seen = found.end()

    def stop(self) -> int:
        """Ctrl-C; its exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)

    def _rest(self) -> str:
        return self._output.read_text()[self._seen :]


def environment() -> dict[str, str]:
    """That of a reader who has activated the virtual environment."""
    kept = persons_environment()
    program = Path(sys.executable).parent
    return kept | {"PATH": f"{program}{os.pathsep}{kept.get('PATH', '')}", "COLUMNS": "80"}
