from __future__ import annotations

import pathlib
import socket
import struct
import tempfile
import time

import pytest

from commscaffoldd.client import ConnectionClosed, ErrorReply, Frame, FrameClient, FrameError
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.client.frame_server import frame_server

STANDARD = PRESETS["standard"]


def error_body(message_id: int, code: int, text: str) -> bytes:
    return struct.pack(">IH", message_id, code) + text.encode()


@pytest.mark.parametrize("layout", PRESETS.values(), ids=lambda layout: layout.name)
def test_a_call_gives_the_replys_body_on_every_layout(layout: Layout) -> None:
    with (
        frame_server(lambda f: layout.encode(f.id, f.sequence, f.body.upper()), layout) as server,
        FrameClient(server.address, layout) as client,
    ):
        assert client.call(5, b"hello") == b"HELLO"
        assert client.call(5, b"again") == b"AGAIN"


def test_it_speaks_to_a_unix_socket() -> None:
    with tempfile.TemporaryDirectory(prefix="cs") as folder:
        path = str(pathlib.Path(folder, "s"))
        with (
            frame_server(lambda f: STANDARD.encode(*f), path=path) as server,
            FrameClient(server.address) as client,
        ):
            assert client.call(1, b"x") == b"x"


def test_each_message_has_the_next_sequence_and_a_given_one_is_used() -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, FrameClient(server.address) as client:
        assert [client.send(1, b""), client.send(1, b""), client.send(1, b"", sequence=99)] == [1, 2, 99]
        assert [client.receive().sequence for _ in range(3)] == [1, 2, 99]


def test_a_sequence_that_the_field_cannot_hold_starts_again_at_one() -> None:
    layout = Layout("short", LayoutSpec(fields=("length:u16", "id:u16", "sequence:u8")))
    with (
        frame_server(lambda f: layout.encode(*f), layout) as server,
        FrameClient(server.address, layout) as client,
    ):
        sent = [client.send(1) for _ in range(256)]
    assert sent[253:] == [254, 255, 1]


def test_pushes_heartbeats_and_older_replies_before_the_reply_are_left_out() -> None:
    def answer(frame: Frame) -> bytes:
        before = [
            (0, 0, b""),
            (frame.id, 0, b"push"),
            (frame.id, 77, b"old"),
            (9, frame.sequence, b"other id"),
        ]
        return b"".join(STANDARD.encode(*f) for f in [*before, (frame.id, frame.sequence, b"mine")])

    with frame_server(answer) as server, FrameClient(server.address) as client:
        assert client.call(1, b"") == b"mine"


def test_without_a_sequence_the_reply_is_the_next_frame_with_the_same_id() -> None:
    compact = PRESETS["compact"]

    def answer(frame: Frame) -> bytes:
        frames = [(0, 0, b""), (6, 0, b"six"), (frame.id, 0, b"five")]
        return b"".join(compact.encode(*f) for f in frames)

    with frame_server(answer, compact) as server, FrameClient(server.address, compact) as client:
        assert client.call(5, b"") == b"five"


def test_a_heartbeat_is_answered_by_a_heartbeat() -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, FrameClient(server.address) as client:
        assert client.call(0) == b""
    assert server.received == [Frame(0, 0, b"")]


def test_an_error_reply_raises_with_code_text_and_the_requests_id() -> None:
    def answer(frame: Frame) -> bytes:
        assert STANDARD.error_id is not None
        return STANDARD.encode(STANDARD.error_id, frame.sequence, error_body(frame.id, 3, "it broke"))

    with frame_server(answer) as server, FrameClient(server.address) as client:
        with pytest.raises(ErrorReply) as caught:
            client.call(8, b"")
        assert (caught.value.code, caught.value.text, caught.value.id) == (3, "it broke", 8)
        assert str(caught.value) == "error 3 (handler failed): it broke"


def test_without_a_sequence_only_an_error_that_names_the_requests_id_is_its_answer() -> None:
    zinx = PRESETS["zinx"]
    assert zinx.error_id is not None

    def answer(frame: Frame) -> bytes:
        assert zinx.error_id is not None
        return zinx.encode(zinx.error_id, 0, error_body(frame.id + 1, 1, "other")) + zinx.encode(
            zinx.error_id, 0, error_body(frame.id, 1005, "own")
        )

    with (
        frame_server(answer, zinx) as server,
        FrameClient(server.address, zinx) as client,
        pytest.raises(ErrorReply, match=r"^error 1005: own$"),
    ):
        client.call(8, b"")


def test_no_reply_in_time_is_a_timeout_even_while_other_frames_come() -> None:
    with (
        frame_server(lambda _: STANDARD.encode(0, 0, b"")) as server,
        FrameClient(server.address, timeout=0.1) as client,
    ):
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no reply within 0\.1 seconds"):
            client.call(1, b"")
        assert time.monotonic() - begun < 2


def test_a_daemon_that_closes_is_a_closed_connection() -> None:
    with (
        frame_server(lambda _: None) as server,
        FrameClient(server.address) as client,
        pytest.raises(ConnectionClosed, match=r"closed the connection$"),
    ):
        client.call(1, b"")


def test_frames_before_the_end_are_received_and_half_a_frame_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        FrameClient(f"127.0.0.1:{listener.getsockname()[1]}") as client,
    ):
        with listener.accept()[0] as connection:
            connection.sendall(STANDARD.encode(1, 0, b"whole") + b"\0\0")
        assert client.receive() == Frame(1, 0, b"whole")
        with pytest.raises(ConnectionClosed, match="in the middle of a frame"):
            client.receive()


def test_bytes_that_are_no_frame_are_a_frame_error_for_good() -> None:
    bad_checksum = struct.pack(">IIII", 1, 1, 1, 0) + b"x"
    with (
        frame_server(lambda _: STANDARD.encode(1, 0, b"good") + bad_checksum) as server,
        FrameClient(server.address) as client,
    ):
        client.send(1)
        assert client.receive().body == b"good"
        for _ in range(2):
            with pytest.raises(FrameError, match="not a frame of layout standard: crc32"):
                client.receive()


def test_a_reply_above_max_body_is_refused() -> None:
    with (
        frame_server(lambda f: STANDARD.encode(f.id, f.sequence, b"x" * 11)) as server,
        FrameClient(server.address, max_body=10) as client,
        pytest.raises(FrameError, match="above max_body = 10"),
    ):
        client.call(1, b"")


def test_what_does_not_fit_the_layout_is_not_sent() -> None:
    compact = PRESETS["compact"]
    with (
        frame_server(lambda f: compact.encode(*f), compact) as server,
        FrameClient(server.address, compact) as client,
    ):
        with pytest.raises(ValueError, match="0 to 65535"):
            client.send(65536)
        assert client.call(1, b"still usable") == b"still usable"
    assert len(server.received) == 1


def test_a_daemon_that_does_not_read_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with FrameClient(address, timeout=0.1) as client, pytest.raises(TimeoutError, match="not taken within"):
            client.send(1, bytes(32 << 20))


def test_nobody_there_is_an_oserror_and_no_address_a_valueerror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ConnectionRefusedError):
        FrameClient(address)
    with pytest.raises(ValueError, match="not an address"):
        FrameClient("nowhere")
    with pytest.raises(FileNotFoundError):
        FrameClient("unix:/nonexistent/socket")
