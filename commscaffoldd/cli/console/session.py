"""A console without its terminal: lines in, lines out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from commscaffoldd.cli.bench_text import duration_of
from commscaffoldd.cli.console.calls import Call, Calls
from commscaffoldd.cli.console.line import COMMANDS, Command, Line, Message, NotALine, parse_line
from commscaffoldd.cli.console.link import Link
from commscaffoldd.cli.console.show import body_lines
from commscaffoldd.cli.failure import describe
from commscaffoldd.cli.table import pairs, table
from commscaffoldd.cli.typed.known import KnownMessage
from commscaffoldd.client import Frame
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import Layout
from commscaffoldd.log.escape import escape

_NANOSECONDS: Final = 1e9
_FORMS: Final = (
    ("1001 hello", "text"),
    ("1001 hex: 48 45 4c", "bytes in hex"),
    ("1001 @file", "a file's content"),
    ('1001 {"user": "bob"}', "JSON, converted where the message is typed; text: in front sends it as it is"),
    ("greet hello", "by the handler's name, where the daemon tells it"),
)


class Server(NamedTuple):
    """Whom a console speaks to.

    Attributes:
        address: where.
        layout: the header layout there.
        known: what the daemon says of its messages.
        format_name: how JSON is written where that is not known; `None` for as text.
        timeout: seconds that connecting and each reply may take.
        keep_alive: seconds between two heartbeats.
    """

    address: Address
    layout: Layout
    known: Mapping[int, KnownMessage]
    format_name: str | None
    timeout: float
    keep_alive: float = 10.0


class Session:
    """One connection after another to one server. For an asyncio loop's thread.

    Attributes:
        done: somebody has said `quit`.
    """

    def __init__(self, server: Server, show: Callable[[str], None]) -> None:
        """Nothing is connected yet. `show` prints one line."""
        self.done = False
        self._server = server
        self._show = show
        self._link = Link(server.layout, server.keep_alive, self._received, self._closed)
        self._calls = Calls(server.layout)
        self._commands = {
            "ids": self._ids,
            "wait": self._wait,
            "reconnect": self._reconnect,
            "help": self._help,
            "quit": self._quit,
        }

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self._link.open

    async def connect(self) -> bool:
        """Open the connection; returns whether that went well, and says why not."""
        self._calls.forget_all()
        try:
            async with asyncio.timeout(self._server.timeout):
                await self._link.connect(self._server.address)
        except TimeoutError:
            self._show(f"cannot connect to {self._server.address} within {self._server.timeout:g} seconds")
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else describe(error)  # asyncio has its own words
            self._show(f"cannot connect to {self._server.address}: {reason}")
        return self._link.open

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def obey(self, text: str) -> bool:
        """Do what a line says; returns whether that went well. When cancelled it does not wait any longer."""
        try:
            line = parse_line(text, self._server.known, self._server.format_name)
        except NotALine as error:
            self._show(str(error))
            return False
        except OSError as error:
            self._show(describe(error))
            return False
        return line is None or await self._do(line)

    async def _do(self, line: Line) -> bool:
        match line:
            case Command(name, argument):
                return await self._commands[name](argument)
            case Message():
                if not self._link.open and not await self.connect():
                    return False
                return await self._send(line)

    async def _send(self, message: Message) -> bool:
        try:
            sequence = self._link.send(message.id, message.body)
        except ValueError as error:
            self._show(str(error))
            return False
        if not message.waits:
            return True
        call = self._calls.add(message.id, sequence)
        try:
            async with asyncio.timeout(self._server.timeout):
                frame = await asyncio.shield(call.answer)
        except TimeoutError:
            self._show(f"no reply within {self._server.timeout:g} seconds; it is shown if it still comes")
            return False
        except asyncio.CancelledError:
            if call.answer.cancelled():  # the connection has ended, which has been said
                return False
            raise
        return self._calls.error_in(frame) is None

    # -- what comes ----------------------------------------------------------------------------------------

    def _received(self, frame: Frame) -> None:
        call = self._calls.match(frame)
        if call is None:
            self._show_frame("go away" if frame.id == self._server.layout.go_away_id else "push", frame, frame.id)
            return
        again = call.answer.done()
        self._show_frame("again" if again else _took(call), frame, call.id)
        if not again:
            call.answer.set_result(frame)

    def _closed(self, reason: str) -> None:
        self._show(f"{reason}; the next message opens another one")
        self._calls.forget_all()

    def _show_frame(self, what: str, frame: Frame, message_id: int) -> None:
        message = self._server.known.get(message_id)
        named = f"{message_id} {message.name}" if message else str(message_id)
        error = self._calls.error_in(frame)
        if error is not None:
            lines = [escape(str(error))]
        else:
            told = message.reply.format if message and message.reply else self._server.format_name
            lines = body_lines(frame.body, told)
        head = f"{what:<8} {named}:" if self._server.layout.has_id else f"{what:<8}"
        self._show(f"{head} {lines[0]}" if len(lines) == 1 else head)
        for line in lines if len(lines) > 1 else ():
            self._show(f"         {line}")

    # -- commands ------------------------------------------------------------------------------------------

    async def _ids(self, _: str) -> bool:
        rows = [[str(one.id), one.name, one.plugin, one.doc] for one in self._server.known.values()]
        if not rows:
            self._show("no daemon at hand tells its message IDs")
        for line in table([">MESSAGE ID", "NAME", "PLUGIN", ""], rows) if rows else ():
            self._show(line)
        return True

    async def _wait(self, argument: str) -> bool:
        try:
            seconds = float(argument or "1")
            if not 0 <= seconds <= 86400:  # noqa: PLR2004  # a day; not NaN, too
                raise ValueError
        except ValueError:
            self._show(f"{argument!r} is not a time; allowed: seconds, such as 2.5")
            return False
        await asyncio.sleep(seconds)
        return True

    async def _reconnect(self, _: str) -> bool:
        connected = await self.connect()
        if connected:
            self._show(f"connected to {self._server.address}")
        return connected

    async def _help(self, _: str) -> bool:
        for line in pairs([*_FORMS, *COMMANDS.items()]):
            self._show(line)
        return True

    async def _quit(self, _: str) -> bool:
        self.done = True
        return True


def _took(call: Call) -> str:
    return duration_of((time.perf_counter() - call.sent) * _NANOSECONDS)
