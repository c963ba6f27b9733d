"""The process that watches the files and has the daemon reload. The master itself knows nothing of it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from commscaffoldd.cli.dev.speech import Voice, describe_changes, shown
from commscaffoldd.cli.dev.watch import Watch
from commscaffoldd.cli.moved import describe_moves
from commscaffoldd.cli.units import counted
from commscaffoldd.master import control_client
from commscaffoldd.master.control_client import ControlTimeout, NotPermitted, NotRunning

_LOOK: Final = 0.05  # seconds
_ANSWER: Final = 10.0
_MARGIN: Final = 30.0


@contextlib.contextmanager
def reloader(watch: Watch, control_socket: Path, start_timeout: float) -> Iterator[None]:
    """Within the block, changes have the daemon at this control socket reload. The caller must have no threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_reloader(Reloader(watch, control_socket, start_timeout, lambda: os.getppid() == parent))
    try:
        yield
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def _be_reloader(made: Reloader) -> NoReturn:
    # Ctrl-C goes to the whole group, and is the master's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        made.run()
    except BaseException:
        logging.getLogger("commscaffoldd").exception("files are not watched any more: please report this")
        os._exit(1)
    os._exit(0)


class Reloader:
    """Waits for changes, asks for reloads, says what came of them."""

    def __init__(
        self, watch: Watch, control_socket: Path, start_timeout: float, going_on: Callable[[], bool]
    ) -> None:
        self._watch = watch
        self._control_socket = control_socket
        self._timeout = start_timeout + _MARGIN  # between two lines lies at most a canary's or a worker's start
        self._going_on = going_on
        self._voice = Voice()

    def run(self) -> None:
        """Until the daemon has ended."""
        if self._wait_until_running():
            self._leave_out()
        while found := self._watch.wait(self._going_on):
            self._voice.say(describe_changes(found))
            if not self._wait_until_running():
                return
            self._reload()
            self._leave_out()

    def _reload(self) -> None:
        begun = time.monotonic()
        try:
            answer = self._ask({"command": "reload"}, self._timeout)
        except NotRunning:
            return  # it has ended, and has said so
        except (ControlTimeout, NotPermitted) as error:
            self._voice.bad("not reloaded", [str(error)])
            return
        seconds = time.monotonic() - begun
        if answer.get("ok"):
            self._voice.good(f"reloaded in {seconds:.2f} s{_moved(answer)}")
        else:  # the reasons are in the log, which is the same terminal
            what = counted(len(answer.get("errors") or [""]), "error")
            self._voice.bad(f"not reloaded, {what} above: what ran before still serves")

    def _leave_out(self) -> None:
        for change in self._watch.written_by_plugins():
            self._voice.say(f"{shown(change.path)} is written when the plugins load: it is not watched any more")

    def _wait_until_running(self) -> bool:
        """Whether the daemon is running now; not if it stops, or never came up."""
        while self._going_on():
            with contextlib.suppress(NotRunning, ControlTimeout, NotPermitted):
                state = str(self._ask({"command": "status"}, _ANSWER)["status"]["state"])
                if state == "running":
                    return True
                if "stopping" in state:
                    return False
            time.sleep(_LOOK)
        return False

    def _ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        answer: dict[str, Any] = control_client.request(self._control_socket, command, timeout, lambda _: None)
        return answer


def _moved(answer: dict[str, Any]) -> str:
    moved = describe_moves(answer) if answer.get("moved") or answer.get("kept") else []
    return "".join(f"; {line}" for line in moved)
