from __future__ import annotations

import pathlib
import socket
import struct
from collections.abc import Callable

import pytest

from commscaffoldd.cli.speech import layout_for
from commscaffoldd.client import Frame
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS, Layout
from tests.cli.running import Run
from tests.client.frame_server import frame_server

STANDARD = PRESETS["standard"]
COMPACT = PRESETS["compact"]


def echo(layout: Layout) -> Callable[[Frame], bytes]:
    return lambda frame: layout.encode(*frame)


def test_the_replys_body_is_printed_as_it_came(run: Run) -> None:
    with frame_server(echo(STANDARD)) as server:
        result = run("call", server.address, "1", "hello")
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, b"hello", "")


def test_a_body_can_be_standard_input_or_a_file_of_any_bytes(run: Run, tmp_path: pathlib.Path) -> None:
    raw = bytes(range(256))
    (tmp_path / "body").write_bytes(raw)
    with frame_server(echo(STANDARD)) as server:
        assert run("call", server.address, "1", "-", input=raw).stdout_bytes == raw
        assert run("call", server.address, "0x2a", f"@{tmp_path}/body").stdout_bytes == raw
    assert [frame.id for frame in server.received] == [1, 42]


def test_hex_is_sent_as_bytes_and_shown_as_a_dump(run: Run) -> None:
    with frame_server(echo(COMPACT), COMPACT) as server:
        result = run("call", server.address, "5", "--layout", "compact", "--hex", "48 45 4c4c4f 00")
    assert server.received == [Frame(5, 0, b"HELLO\0")]
    assert result.stdout == f"00000000  {'48 45 4c 4c 4f 00':<48} |HELLO.|\n"


def test_verbose_shows_headers_on_stderr(run: Run) -> None:
    with frame_server(echo(COMPACT), COMPACT) as server:
        result = run("call", server.address, "5", "HELLO", "--layout", "compact", "-v")
    assert result.stdout == "HELLO"
    assert result.stderr.splitlines() == [
        "> id 5, body 5 bytes: 00 0d 00 05 c1 44 64 36",
        "< id 5, body 5 bytes: 00 0d 00 05 c1 44 64 36",
    ]


def test_no_reply_sends_and_does_not_wait(run: Run) -> None:
    with frame_server(lambda _: b"") as server:
        result = run("call", server.address, "1", "x", "--no-reply")
    assert (result.exit_code, result.output) == (0, "")


def test_an_error_reply_goes_to_stderr_with_exit_code_1(run: Run) -> None:
    def answer(frame: Frame) -> bytes:
        assert STANDARD.error_id is not None
        return STANDARD.encode(STANDARD.error_id, frame.sequence, struct.pack(">IH", frame.id, 1) + b"no handler")

    with frame_server(answer) as server:
        result = run("call", server.address, "7")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {server.address}: error 1 (unknown message ID): no handler\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: None, "the daemon closed the connection"),
        (lambda _: b"", "no reply within 0.1 seconds"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n", "not a frame of layout standard"),
    ],
)
def test_what_goes_wrong_is_one_line(run: Run, answer: Callable[[Frame], bytes | None], said: str) -> None:
    with frame_server(answer) as server:
        result = run("call", server.address, "1", "--timeout", "0.1")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {server.address}: {said}")
    assert result.stderr.count("\n") == 1


def test_nobody_there_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    result = run("call", address, "1")
    assert (result.exit_code, result.stderr) == (1, f"error: cannot connect to {address}: Connection refused\n")
    result = run("call", "unix:/nonexistent/socket", "1")
    assert result.exit_code == 1
    assert "cannot connect to unix:/nonexistent/socket: No such file or directory" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("nowhere", "1"),
        ("127.0.0.1:1", "x"),
        ("127.0.0.1:1", "-1"),
        ("127.0.0.1:1", "99999999999999999999999"),
        ("127.0.0.1:1", "1", "--hex", "xyz"),
        ("127.0.0.1:1", "65536", "--layout", "compact"),
        ("127.0.0.1:1", "1", "--layout", "nonsense"),
        ("127.0.0.1:1", "1", "--timeout", "0"),
    ],
)
def test_wrong_usage_exits_2_before_anything_is_sent(run: Run, words: tuple[str, ...]) -> None:
    result = run("call", *words)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_a_file_that_cannot_be_read_is_one_line(run: Run) -> None:
    result = run("call", "127.0.0.1:1", "1", "@/nonexistent/body")
    assert (result.exit_code, result.stderr) == (1, "error: /nonexistent/body: No such file or directory\n")


@pytest.mark.parametrize(
    ("address", "layout"),
    [
        ("127.0.0.1:9000", "standard"),
        ("127.0.0.1:9001", "compact"),  # listens on 0.0.0.0
        ("localhost:9001", "compact"),
        ("192.0.2.7:9001", "standard"),  # another machine
        ("127.0.0.1:9002", "mine"),
        ("127.0.0.1:9003", "standard"),
    ],
)
def test_the_layout_is_that_of_the_configured_listener(folder: pathlib.Path, address: str, layout: str) -> None:
    assert layout_for(Address.parse(address), None, str(folder / "c.toml")).name == layout


def test_a_custom_layout_can_be_named(run: Run, folder: pathlib.Path) -> None:
    mine = layout_for(Address.parse("127.0.0.1:1"), "mine", str(folder / "c.toml"))
    with frame_server(echo(mine), mine) as server:
        assert run("call", server.address, "3", "abc", "--layout", "mine").stdout == "abc"


def test_it_needs_no_configuration(run: Run, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMMSCAFFOLDD_CONFIG")
    monkeypatch.chdir(folder)
    with frame_server(echo(STANDARD)) as server:
        result = run("call", server.address, "1", "hello")
    assert (result.stdout, result.stderr) == ("hello", "")


def test_an_invalid_configuration_is_a_warning_unless_it_was_asked_for(run: Run, folder: pathlib.Path) -> None:
    (folder / "c.toml").write_text("[broken\n")
    with frame_server(echo(STANDARD)) as server:
        result = run("call", server.address, "1", "hello")
        assert result.stdout == "hello"
        assert result.stderr.startswith("warning: the configuration is not valid")
        assert run("call", server.address, "1", "--config", str(folder / "c.toml")).exit_code == 78
        assert run("call", server.address, "1", "--layout", "mine").exit_code == 78
