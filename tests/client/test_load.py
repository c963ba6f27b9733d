from __future__ import annotations

import contextlib
import pathlib
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commscaffoldd.client import Frame
from commscaffoldd.client.load import Load, Progress
from commscaffoldd.client.load_errors import Kind
from commscaffoldd.client.load_plan import LoadPlan
from commscaffoldd.client.load_result import LoadResult
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.client.frame_server import Answer, FrameServer, frame_server

STANDARD = PRESETS["standard"]
COMPACT = PRESETS["compact"]
SHORT = Layout(
    "short", LayoutSpec(fields=("magic:u16=0xCAFE", "sequence:u8", "length:u24", "id:u16"), byte_order="little")
)
LAYOUTS = [*PRESETS.values(), SHORT]


def load(server: FrameServer | str, layout: Layout = STANDARD, **plan: Any) -> LoadResult:
    """Run a short load of one connection unless told otherwise."""
    address = server if isinstance(server, str) else server.address
    shortly = {"connections": 1, "warm_up": 0.0, "duration": 0.2, "timeout": 5.0} | plan
    with contextlib.closing(Load(LoadPlan(Address.parse(address), layout, **shortly))) as running:
        running.run()
        return running.result()


def echo(layout: Layout = STANDARD) -> Answer:
    return lambda frame: layout.encode(*frame)


def errors(result: LoadResult) -> dict[tuple[Kind, int | None], str]:
    """Kinds and codes with their texts."""
    return {(error.kind, error.code): error.text for error in result.errors}


def control(message_id: int | None, sequence: int, body: bytes = b"") -> bytes:
    assert message_id is not None
    return STANDARD.encode(message_id, sequence, body)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_on_every_layout_replies_are_counted(layout: Layout) -> None:
    with frame_server(echo(layout), layout) as server:
        result = load(server, layout, connections=3, in_flight=4, body=b"hello")
    assert result.errors == []
    assert result.window.messages > 300  # so the short layout's sequence went round
    assert result.latencies.count >= result.window.messages
    assert result.rate == pytest.approx(result.window.messages / result.window.seconds)
    assert result.opened == 3
    assert all((frame.id, frame.body) == (1, b"hello") for frame in server.received)


def test_each_connection_has_just_so_many_messages_in_flight() -> None:
    unanswered: list[Frame] = []
    most = 0

    def answer_when_three_have_come(frame: Frame) -> bytes:
        nonlocal most
        unanswered.append(frame)
        most = max(most, len(unanswered))
        if len(unanswered) < 3:
            return b""
        replies = b"".join(STANDARD.encode(*one) for one in unanswered)
        unanswered.clear()
        return replies

    with frame_server(answer_when_three_have_come) as server:
        result = load(server, in_flight=3)
    assert (result.errors, most) == ([], 3)
    assert result.window.messages > 3
    assert [frame.sequence for frame in server.received] == list(range(1, len(server.received) + 1))


def test_bodies_larger_than_the_sockets_buffers_come_through() -> None:
    with frame_server(echo()) as server:
        result = load(server, connections=2, in_flight=2, body=bytes(3 << 20))
    assert result.errors == []
    assert result.latencies.count >= 4


def test_load_while_warming_up_is_not_measured() -> None:
    with frame_server(echo()) as server:
        result = load(server, warm_up=0.2, duration=0.1)
    # Every message was answered, those of the warm-up too; but they were not counted.
    assert 0 < result.window.messages <= result.latencies.count < len(server.received)
    assert result.window.seconds == pytest.approx(0.1, abs=0.1)


def test_replies_under_way_at_the_end_count_for_the_latencies_and_not_for_the_rate() -> None:
    def slowly(frame: Frame) -> bytes:
        time.sleep(0.3)
        return STANDARD.encode(*frame)

    with frame_server(slowly) as server:
        result = load(server, duration=0.1)
    assert (result.errors, result.window.messages, result.latencies.count) == ([], 0, 1)
    assert result.latencies.max >= 300_000_000


def test_error_replies_are_counted_by_code_with_the_daemons_text_and_are_no_right_replies() -> None:
    def refuse(frame: Frame) -> bytes:
        code = 5 if frame.sequence % 2 else 1001
        return control(STANDARD.error_id, frame.sequence, struct.pack(">IH", frame.id, code) + b"no: %d" % code)

    with frame_server(refuse) as server:
        result = load(server)
    assert errors(result) == {(Kind.ERROR_REPLY, 5): "no: 5", (Kind.ERROR_REPLY, 1001): "no: 1001"}
    assert result.error_count == len(server.received)
    assert (result.window.messages, result.latencies.count) == (0, 0)


def test_pushes_are_counted_and_no_errors() -> None:
    with frame_server(lambda f: STANDARD.encode(9, 0, b"push") + STANDARD.encode(*f)) as server:
        result = load(server)
    assert result.errors == []
    assert result.pushes == len(server.received)


def test_without_a_sequence_a_frame_with_another_id_is_a_push() -> None:
    with frame_server(lambda f: COMPACT.encode(9, 0, b"push") + COMPACT.encode(*f), COMPACT) as server:
        result = load(server, COMPACT)
    assert result.errors == []
    assert result.pushes == len(server.received)


def test_replies_may_have_an_id_of_their_own() -> None:
    zinx = PRESETS["zinx"]
    with frame_server(lambda f: zinx.encode(200, 0, f.body), zinx) as server:
        result = load(server, zinx, reply_id=200)
    assert (result.errors, result.pushes) == ([], 0)
    assert result.window.messages > 0


def test_heartbeats_can_be_measured() -> None:
    with frame_server(echo()) as server:
        result = load(server, message_id=0, reply_id=0, body=b"")
    assert result.errors == []
    assert set(server.received) == {Frame(0, 0, b"")}
    assert result.window.messages > 0


def test_who_is_told_to_go_away_connects_anew() -> None:
    def answer(frame: Frame) -> bytes:
        reply = STANDARD.encode(*frame)
        return reply + control(STANDARD.go_away_id, 0) if frame.sequence == 3 else reply

    with frame_server(answer) as server:
        result = load(server, duration=0.5)
    assert result.errors == []
    assert result.go_aways >= 2
    assert result.opened in (result.go_aways, result.go_aways + 1)
    assert {frame.sequence for frame in server.received} == {1, 2, 3}


def test_messages_that_a_daemon_did_not_read_before_it_went_are_dropped_and_no_errors() -> None:
    def answer(frame: Frame) -> bytes | None:
        if len(server.received) > 6:
            return STANDARD.encode(*frame)
        return control(STANDARD.go_away_id, 0) if frame.sequence == 1 else None

    with frame_server(answer) as server:
        result = load(server, in_flight=2, duration=0.5)
    assert (result.errors, result.go_aways, result.dropped) == ([], 3, 6)
    assert result.window.messages > 0


def test_a_wrong_id_and_a_wrong_sequence_are_wrong_replies() -> None:
    def answer(frame: Frame) -> bytes:
        if frame.sequence == 1:
            return STANDARD.encode(2, 1, b"")
        return STANDARD.encode(1, 99_999_999, b"") + STANDARD.encode(*frame)

    with frame_server(answer) as server:
        result = load(server)
    (wrong,) = result.errors
    assert (wrong.kind, wrong.text) == (Kind.WRONG_REPLY, "message ID 2 where 1 was expected")
    assert wrong.count == len(server.received)


def overtaking() -> Answer:
    """Answers two by two, the second one first."""
    held: list[Frame] = []

    def answer(frame: Frame) -> bytes:
        held.append(frame)
        if len(held) < 2:
            return b""
        replies = STANDARD.encode(*held[1]) + STANDARD.encode(*held[0])
        held.clear()
        return replies

    return answer


def test_a_reply_that_overtakes_is_an_error() -> None:
    with frame_server(overtaking()) as server:
        result = load(server, in_flight=2)
    (error,) = result.errors
    assert (error.kind, error.text) == (Kind.OUT_OF_ORDER, "the reply to sequence 2 overtook that to 1")
    assert error.count == len(server.received) // 2


def test_replies_may_overtake_where_any_order_is_right() -> None:
    with frame_server(overtaking()) as server:
        result = load(server, in_flight=2, any_order=True)
    assert result.errors == []
    assert result.latencies.count == len(server.received)


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (lambda _: None, Kind.CLOSED, "the server closed the connection"),
        (lambda _: b"", Kind.NO_REPLY, "no reply within 0.3 seconds"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n", Kind.BAD_FRAME, "not a frame of layout standard: length "),
    ],
)
def test_a_connection_that_fails_is_counted_and_the_run_ends_when_none_is_left(
    answer: Callable[[Frame], bytes | None], kind: Kind, text: str
) -> None:
    began = time.monotonic()
    with frame_server(answer) as server:
        result = load(server, connections=3, duration=30.0, timeout=0.3)
    (error,) = result.errors
    assert (error.kind, error.count) == (kind, 3)
    assert error.text.startswith(text)
    assert time.monotonic() - began < 10


def test_a_reset_is_told_from_a_close() -> None:
    def reset_all(listener: socket.socket) -> None:
        connection = listener.accept()[0]
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=reset_all, args=[listener])
        thread.start()
        result = load(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert errors(result) == {(Kind.RESET, None): "the server reset the connection"}


def test_nobody_there_is_an_oserror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ConnectionRefusedError):
        load(address)


@pytest.fixture
def unix_path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cs") as folder:
        yield str(pathlib.Path(folder, "s"))


def test_many_connections_to_a_unix_socket_wait_for_its_backlog(unix_path: str) -> None:
    with frame_server(echo(), path=unix_path) as server:
        result = load(server, connections=400, duration=0.1)
    assert (result.errors, result.opened) == ([], 400)


def test_a_run_that_is_broken_off_has_measured_what_it_has() -> None:
    phases = []

    def break_off(progress: Progress) -> None:
        phases.append(progress.phase)
        if phases.count("measuring") == 2:
            raise KeyboardInterrupt

    plan = {"connections": 2, "warm_up": 0.1, "duration": 30.0}
    with (
        frame_server(echo()) as server,
        contextlib.closing(Load(LoadPlan(Address.parse(server.address), STANDARD, **plan))) as running,  # type: ignore[arg-type]
    ):
        with pytest.raises(KeyboardInterrupt):
            running.run(break_off)
        result = running.result()
    assert result.window.messages > 0
    assert 0.1 < result.window.seconds < 10
    assert result.errors == []


def test_progress_tells_phases_and_rates() -> None:
    seen: list[Progress] = []
    with (
        frame_server(echo()) as server,
        contextlib.closing(
            Load(LoadPlan(Address.parse(server.address), STANDARD, connections=2, warm_up=0.3, duration=0.3))
        ) as running,
    ):
        running.run(seen.append)
    sending = [one for one in seen if one.phase in ("warming up", "measuring")]
    assert {one.phase for one in sending} == {"warming up", "measuring"}
    assert all(one.rate > 0 and one.connections == 2 for one in sending)
    assert [one.seconds for one in sending] == sorted(one.seconds for one in sending)


@pytest.mark.parametrize(
    ("layout", "plan", "said"),
    [
        (COMPACT, {"message_id": 65536}, "message ID 65536 does not fit layout compact"),
        (COMPACT, {"reply_id": 65536}, "message ID 65536 does not fit layout compact"),
        (COMPACT, {"body": bytes(70_000)}, "a body of 70000 bytes does not fit layout compact"),
        (COMPACT, {"any_order": True}, "layout compact has no sequence"),
        (SHORT, {"in_flight": 256}, "256 messages in flight, but layout short has only 255 sequences"),
        (STANDARD, {"connections": 1000, "in_flight": 1000, "body": bytes(2000)}, "at most 1024 MiB"),
    ],
)
def test_what_the_layout_cannot_do_is_said_before_anything_is_opened(
    layout: Layout, plan: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Load(LoadPlan(Address.parse("127.0.0.1:1"), layout, **plan))
