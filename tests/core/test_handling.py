"""What a client and the log get when a handler fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.endpoint import HANDLER_FAILED, decode_error
from commscaffoldd.core.handling import FailureLog, HandlerRunner
from commscaffoldd.core.layout import Layout, LayoutSpec
from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.running import Running
from commscaffoldd.core.settings import QuarantineSettings
from tests.core.slots import Recorder, connection_of, make_endpoint, open_slot


def make_runner() -> HandlerRunner:
    return HandlerRunner(FailureLog(), Quarantine(QuarantineSettings(enabled=False), {}, {}))


def run(
    function: Callable[[Any], object], layout: Layout | str = "standard", runner: HandlerRunner | None = None
) -> Any:
    request = Request(
        connection_of(open_slot(Recorder())), 7, 3, b"body", Route(7, function, "greet", "hello", "pool")
    )
    counters = Counters()
    reply = (runner or make_runner()).run(request, make_endpoint(layout), counters, Running())
    return reply, counters.handler_errors


def raising(error: BaseException) -> Callable[[Any], object]:
    def handler(_: Any) -> object:
        raise error

    return handler


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("result", [b"hello", bytearray(b"hello"), memoryview(b"hello")])
def test_bytes_are_the_reply_with_the_requests_id_and_sequence(result: object) -> None:
    assert run(lambda _: result) == ((7, 3, b"hello"), 0)


def test_none_is_no_reply() -> None:
    assert run(lambda _: None) == (None, 0)


@pytest.mark.parametrize(
    "error", [ValueError("bad"), SystemExit(1), KeyboardInterrupt(), MemoryError(), SpeechlessError()]
)
def test_whatever_a_handler_raises_the_client_gets_error_3(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    (message_id, sequence, body), errors = run(raising(error))
    assert (message_id, sequence, decode_error(body)) == (0xFFFFFFFF, 3, (7, HANDLER_FAILED, "the handler failed"))
    assert errors == 1
    (record,) = caplog.records
    assert "handler hello of plugin greet failed: message ID 7 from 192.0.2.7:51234" in record.getMessage()
    assert type(error).__name__ in record.getMessage()
    assert record.exc_info
    assert record.__dict__["connection"] == "1.0.0"


@pytest.mark.parametrize("result", ["text", 5, [b"x"], object()])
def test_a_wrong_type_says_what_was_expected(result: object, caplog: pytest.LogCaptureFixture) -> None:
    reply, _ = run(lambda _: result)
    assert reply[0] == 0xFFFFFFFF
    expected = f"hello returned {type(result).__name__}; expected bytes for a reply, or None for none"
    assert expected in caplog.text


def test_without_error_replies_a_failure_is_silent_to_the_client(caplog: pytest.LogCaptureFixture) -> None:
    assert run(raising(ValueError("bad")), "compact") == (None, 1)
    assert "ValueError: bad" in caplog.text


@pytest.mark.parametrize(("size", "fits"), [(3, False), (4, True), (100, True), (101, False)])
def test_a_reply_that_does_not_fit_the_layout_fails_here_and_not_in_the_sender(
    size: int,
    fits: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    layout = Layout.from_spec("mine", LayoutSpec(("length:u8", "id:u8"), length_adjustment=4))
    layout.max_body = 100
    reply, errors = run(lambda _: bytes(size), layout)
    assert (reply is not None, errors) == (fits, int(not fits))
    assert ("does not fit layout mine: 4 to 100" in caplog.text) is not fits


def test_a_handler_that_fails_all_the_time_does_not_fill_the_disk(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    monkeypatch.setattr("commscaffoldd.core.handling.time.monotonic", lambda: now)
    runner = make_runner()
    with caplog.at_level(logging.ERROR):
        for _ in range(50):
            run(raising(ValueError("bad")), runner=runner)
        assert len(caplog.records) == 1
        now += 1.0
        run(raising(ValueError("bad")), runner=runner)
    assert len(caplog.records) == 2
    assert "(49 more failures of this ID since the last line)" in caplog.records[1].getMessage()
