"""The console on a terminal: a pseudo-terminal, with fingers."""

from __future__ import annotations

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from commscaffoldd.client import Frame
from commscaffoldd.core.layout import PRESETS
from tests.cli.running import PROGRAM
from tests.client.frame_server import FrameServer, frame_server

pytest.importorskip("prompt_toolkit")

STANDARD = PRESETS["standard"]
PATIENCE = 20.0


class Terminal:
    """A console on a pseudo-terminal of its own."""

    def __init__(self, folder: pathlib.Path, *words: str, program: tuple[str, ...] = PROGRAM) -> None:
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        environment = os.environ | {
            "XDG_STATE_HOME": str(folder / "state"),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here answers when it asks where the cursor is
        }
        self.process = subprocess.Popen(
            [*program, "console", *words],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        os.close(terminal)
        self._shown = ""

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())

    def shows(self, text: str) -> str:
        """Wait until this has been shown; returns all until then, which is then forgotten."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._plain():
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {text!r}, got {self._shown!r}"
            if select.select([self._controller], [], [], left)[0]:
                self._shown += os.read(self._controller, 65536).decode("utf-8", "replace")
        before, _, self._shown = self._plain().partition(text)
        return before + text

    def _plain(self) -> str:
        """Without what moves the cursor and changes colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._shown)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._controller)


class Scene:
    """A server that echoes, keeps ID 3 waiting, and pushes when it is told; and a console that speaks to it."""

    def __init__(self, terminal: Terminal, server: FrameServer, push: threading.Event) -> None:
        self.terminal = terminal
        self.server = server
        self.push = push


@pytest.fixture
def scene(folder: pathlib.Path) -> Iterator[Scene]:
    push = threading.Event()

    def answer(frame: Frame) -> bytes:
        if frame.id == 3:
            return b""
        if frame.id == 4:  # sent, and not waited for: the push comes while something else is being typed
            push.wait(PATIENCE)
            return STANDARD.encode(77, 0, b"news")
        return STANDARD.encode(*frame)

    with frame_server(answer) as server:
        terminal = Terminal(folder, server.address, "--layout", "standard")
        try:
            terminal.shows(f"{server.address}>")
            yield Scene(terminal, server, push)
        finally:
            push.set()
            terminal.close()


def test_a_message_its_reply_and_ctrl_d(scene: Scene) -> None:
    scene.terminal.type("1 hello\r")
    scene.terminal.shows(" 1: hello")
    scene.terminal.shows(">")
    scene.terminal.type("\x04")
    assert scene.terminal.process.wait(PATIENCE) == 0


def test_a_push_does_not_mangle_the_line_that_is_being_typed(scene: Scene) -> None:
    terminal = scene.terminal
    terminal.type("send 4\r")
    terminal.shows(">")
    terminal.type("1 half")
    terminal.shows("half")
    scene.push.set()
    terminal.shows("push     77: news")
    terminal.shows("1 half")  # shown again, below
    terminal.type(" whole\r")
    terminal.shows(" 1: half whole")
    assert scene.server.received[-1].body == b"half whole"


def test_ctrl_c_does_not_wait_for_the_reply_any_longer(scene: Scene) -> None:
    scene.terminal.type("3 never\r")
    deadline = time.monotonic() + PATIENCE
    while not any(frame.id == 3 for frame in scene.server.received):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(scene.terminal.process.pid, signal.SIGINT)
    scene.terminal.shows(">")
    scene.terminal.type("1 on\r")
    scene.terminal.shows(" 1: on")


def test_ctrl_c_at_the_prompt_takes_the_line_away(scene: Scene) -> None:
    scene.terminal.type("1 wrong\x03")
    scene.terminal.shows(">")
    scene.terminal.type("1 right\r")
    scene.terminal.shows(" 1: right")
    assert [frame.body for frame in scene.server.received] == [b"right"]


def test_the_line_before_is_a_key_away_in_the_next_console_too(scene: Scene, folder: pathlib.Path) -> None:
    scene.terminal.type("1 remember\r")
    scene.terminal.shows(" 1: remember")
    history = folder / "state" / "commscaffoldd" / "console_history"
    assert history.stat().st_mode & 0o077 == 0
    assert "1 remember" in history.read_text()
    another = Terminal(folder, scene.server.address, "--layout", "standard")
    try:
        another.shows(">")
        another.type("\x1b[A\r")
        another.shows(" 1: remember")
    finally:
        another.close()


WITHOUT = (PROGRAM[0], PROGRAM[1], f"import sys; sys.modules['prompt_toolkit'] = None; {PROGRAM[2]}")


def test_without_prompt_toolkit_it_works_line_by_line(scene: Scene, folder: pathlib.Path) -> None:
    plain = Terminal(folder, scene.server.address, "--layout", "standard", program=WITHOUT)
    try:
        plain.shows("warning: no completion, no history")
        plain.type("1 hello\n")
        plain.shows(" 1: hello")
        plain.type("\x04")
        assert plain.process.wait(PATIENCE) == 0
    finally:
        plain.close()
