"""A console on a terminal, by prompt_toolkit: it alone can print what comes above a line that is being typed.

readline, of the standard library, has no such call: a push would stand in the middle of what somebody types. To do
that ourselves is an editor of lines, with cursor, wide characters and wrapping: far more than fifty lines.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from commscaffoldd.cli import exit_codes
from commscaffoldd.cli.console.line import COMMANDS
from commscaffoldd.cli.console.session import Server, Session


async def run_terminal(session: Session, server: Server) -> int:
    """Ask for lines and obey them until `quit` or Ctrl-D; returns the exit code."""
    prompt: PromptSession[str] = PromptSession(
        f"{server.address}> ",
        history=_history(),
        completer=MessageCompleter(server),
        complete_while_typing=False,
    )
    with patch_stdout():
        if not await session.connect():
            return exit_codes.FAILURE
        while not session.done:
            try:
                line = await prompt.prompt_async()
            except KeyboardInterrupt:
                continue  # as in a shell: another line
            except EOFError:
                break
            await _obey(session, line)
    await session.close()
    return 0


async def _obey(session: Session, line: str) -> None:
    """Ctrl-C does not wait for the reply any longer."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(session.obey(line))
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await asyncio.wait([task])
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    if not task.cancelled():
        task.result()


class MessageCompleter(Completer):
    """Completes the first word: message IDs, found by their handlers' names, too, and commands."""

    def __init__(self, server: Server) -> None:
        self._known = sorted(server.known.values())

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        """All that fits what stands before the cursor."""
        begun = document.text_before_cursor.lstrip()
        if " " in begun:
            return
        for one in self._known:
            if str(one.id).startswith(begun) or one.name.startswith(begun):
                about = f"{one.plugin}: {one.doc}" if one.doc else one.plugin
                yield Completion(str(one.id), -len(begun), display=f"{one.id} {one.name}", display_meta=about)
        for name, about in COMMANDS.items():
            if name.startswith(begun):
                yield Completion(name, -len(begun), display_meta=about)


def _history() -> History:
    """The lines of former consoles, in the user's state folder; they may hold secrets, so nobody else's eyes."""
    path = state_folder() / "console_history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def state_folder() -> Path:
    """Where the XDG base directory specification has it."""
    named = os.environ.get("XDG_STATE_HOME", "")
    base = Path(named) if named.startswith("/") else Path("~/.local/state").expanduser()
    return base / "commscaffoldd"
