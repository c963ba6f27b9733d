"""What is shown for what comes, without a terminal."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Coroutine

import pytest

from commscaffoldd.cli.console.session import Server, Session
from commscaffoldd.cli.typed.body import BodyType
from commscaffoldd.cli.typed.known import KnownMessage
from commscaffoldd.client import Frame
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS, Layout
from tests.client.frame_server import Answer, frame_server

STANDARD = PRESETS["standard"]
KNOWN = {5: KnownMessage(5, "greet", "polite", "Says hello.", BodyType("bytes"), BodyType("msgpack"))}

Play = Callable[[Session], Coroutine[None, None, None]]


def play(
    answer: Answer, script: Play, layout: Layout = STANDARD, timeout: float = 10.0, keep_alive: float = 60.0
) -> list[str]:
    """All that a console shows while the script runs."""
    shown: list[str] = []

    async def run(address: str) -> None:
        session = Session(Server(Address.parse(address), layout, KNOWN, None, timeout, keep_alive), shown.append)
        assert await session.connect()
        await script(session)
        await session.close()

    with frame_server(answer, layout) as server:
        asyncio.run(run(server.address))
    return shown


def echo(frame: Frame) -> bytes:
    return STANDARD.encode(*frame)


def test_a_reply_is_shown_with_its_time_and_its_name() -> None:
    async def script(session: Session) -> None:
        assert await session.obey("1 hello")
        assert await session.obey("greet hex: 81 a1 61 01")

    first, second = play(echo, script)
    assert first.endswith(" 1: hello")
    assert first.split()[1] in {"µs", "ms", "s"}
    assert second.endswith(' 5 greet: {"a":1}')


def test_an_error_reply_is_shown_and_has_failed() -> None:
    def answer(frame: Frame) -> bytes:
        assert STANDARD.error_id is not None
        return STANDARD.encode(STANDARD.error_id, frame.sequence, struct.pack(">IH", frame.id, 2) + b"$.user\x1b")

    async def script(session: Session) -> None:
        assert not await session.obey("5 hello")

    (line,) = play(answer, script)
    assert line.endswith(" 5 greet: error 2 (bad body): $.user\\x1b")


def test_pushes_and_further_replies_are_told_apart() -> None:
    def answer(frame: Frame) -> bytes:
        return (
            STANDARD.encode(77, 0, b"news")
            + STANDARD.encode(frame.id, frame.sequence, b"one")
            + STANDARD.encode(frame.id, frame.sequence, b"two")
            + STANDARD.encode(STANDARD.max_id - 1, 0, b"")
        )

    async def script(session: Session) -> None:
        assert await session.obey("1 x")
        await session.obey("wait 0.1")

    push, reply, again, go_away = play(answer, script)
    assert push == "push     77: news"
    assert reply.endswith(" 1: one")
    assert again == "again    1: two"
    assert go_away.startswith("go away")


@pytest.mark.parametrize("name", ["compact", "zinx", "workerman", "erlang"])
def test_layouts_without_a_sequence_go_by_order(name: str) -> None:
    layout = PRESETS[name]

    async def script(session: Session) -> None:
        assert await session.obey("1 first")
        assert await session.obey("1 second")

    first, second = play(lambda frame: layout.encode(*frame), script, layout)
    assert first.endswith("first")
    assert second.endswith("second")


def test_a_reply_that_is_late_is_shown_when_it_comes() -> None:
    waiting: list[Frame] = []

    def answer(frame: Frame) -> bytes:
        if frame.id == 1:
            waiting.append(frame)
            return b""
        return echo(waiting.pop()) + echo(frame)

    async def script(session: Session) -> None:
        assert not await session.obey("1 slow")
        assert await session.obey("2 quick")

    said, late, reply = play(answer, script, timeout=0.1)
    assert said.startswith("no reply within 0.1 seconds")
    assert late.endswith(" 1: slow")
    assert reply.endswith(" 2: quick")


def test_who_does_not_wait_any_longer_can_go_on() -> None:
    async def script(session: Session) -> None:
        waits = asyncio.create_task(session.obey("1 never"))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.wait([waits])
        assert await session.obey("2 x")

    (line,) = play(lambda frame: b"" if frame.id == 1 else echo(frame), script)
    assert line.endswith(" 2: x")


def test_a_closed_connection_is_said_and_the_next_message_opens_another() -> None:
    async def script(session: Session) -> None:
        assert not await session.obey("9 bye")
        assert not session.connected
        assert await session.obey("1 again")

    closed, reply = play(lambda frame: None if frame.id == 9 else echo(frame), script)
    assert closed == "the server closed the connection; the next message opens another one"
    assert reply.endswith(" 1: again")


def test_what_is_no_frame_ends_the_connection() -> None:
    async def script(session: Session) -> None:
        assert not await session.obey("1 x")

    (line,) = play(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", script)
    assert line.startswith("what came is no frame of layout standard")


def test_heartbeats_are_sent_and_answered_and_not_shown() -> None:
    heard: list[Frame] = []

    def answer(frame: Frame) -> bytes:
        heard.append(frame)
        return STANDARD.encode(0, 0, b"") + echo(frame) if frame.id else echo(frame)

    async def script(session: Session) -> None:
        while len(heard) < 3:
            await session.obey("wait 0.01")

    assert play(answer, script, keep_alive=0.01) == []
    assert set(heard) == {Frame(0, 0, b"")}


def test_the_servers_own_heartbeat_is_answered_once() -> None:
    heard: list[Frame] = []

    def answer(frame: Frame) -> bytes:
        heard.append(frame)
        return STANDARD.encode(0, 0, b"") + echo(frame) if frame.id else b""

    async def script(session: Session) -> None:
        assert await session.obey("1 x")
        while len(heard) < 2:
            await session.obey("wait 0.01")

    lines = play(answer, script)
    assert [frame.id for frame in heard] == [1, 0]
    assert [line.partition(": ")[2] for line in lines] == ["x"]


def test_what_a_line_cannot_be_is_said_and_nothing_is_sent() -> None:
    async def script(session: Session) -> None:
        assert not await session.obey("nonsense")
        assert not await session.obey("1 @/nonexistent")
        assert not await session.obey("wait long")
        assert not await session.obey("4294967296 x")

    nonsense, file, wait, fit = play(echo, script)
    assert "no message ID and no command" in nonsense
    assert file == "/nonexistent: No such file or directory"
    assert "is not a time" in wait
    assert "does not fit layout standard" in fit
