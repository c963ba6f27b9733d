"""Message IDs whose handlers keep failing or hanging are left alone, tried again, and released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from commscaffoldd.core.quarantine import Quarantine
from commscaffoldd.core.refusal import Refusal
from commscaffoldd.core.request import Request
from commscaffoldd.core.route import Route
from commscaffoldd.core.settings import QuarantineSettings
from tests.core.slots import Recorder, connection_of, open_slot

BAD = ValueError("bad")
SETTINGS = QuarantineSettings(failures=3, timeouts=2, first=1.0, longest=3.0)


class Ward:
    """One message ID in a quarantine; time is what the test says it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: QuarantineSettings) -> None:
        self.now = 100.0
        monkeypatch.setattr("commscaffoldd.core.quarantine.time.monotonic", lambda: self.now)
        self.handled: list[Request] = []
        self.route = Route(7, self.handle, "greet", "hello", "pool")
        self.quarantine = Quarantine(settings, {7: self.route}, {7: self.route})
        self.connection = connection_of(open_slot(Recorder()))

    def handle(self, request: Request) -> bytes:
        self.handled.append(request)
        return b"ok"

    def request(self) -> Request:
        return Request(self.connection, 7, 0, b"", self.route)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.quarantine.failed(self.request(), BAD)

    def call(self, becomes: Callable[[Request], None] | None = None) -> Any:
        """A message comes; if it reaches the handler this becomes of it."""
        request = self.request()
        result = self.route.function(request)
        if becomes is not None and not isinstance(result, Refusal):
            becomes(request)
        return result

    @property
    def span(self) -> float | None:
        found = self.quarantine.quarantined()
        return found[0].span if found else None


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Ward:
    return Ward(monkeypatch, SETTINGS)


def test_a_handler_that_is_well_has_nothing_before_it(ward: Ward) -> None:
    assert ward.route.function == ward.handle
    assert not ward.route.troubled


def test_so_many_failures_in_a_row(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    ward.fail(2)
    assert ward.call() == b"ok"
    ward.fail()
    refusal = ward.call()
    assert refusal.code == 6
    assert refusal.text == (
        "message ID 7 is quarantined: its handler failed 3 times in a row; it is tried again in 1.0 s"
    )
    assert len(ward.handled) == 1
    assert "message ID 7 (handler hello of plugin greet) is quarantined for 1 s: it failed 3 times" in caplog.text
    assert "the last: ValueError: bad" in caplog.text


def test_so_many_time_outs_in_a_row(ward: Ward) -> None:
    ward.quarantine.timed_out(ward.request(), 30.0)
    assert ward.span is None
    ward.quarantine.timed_out(ward.request(), 30.0)
    assert "its handler took longer than 30 s 2 times in a row" in ward.call().text


def test_a_success_between_them_begins_the_count_anew(ward: Ward) -> None:
    ward.fail(2)
    ward.quarantine.succeeded(ward.request())
    after_success = ward.route.troubled
    ward.fail(2)
    assert (after_success, ward.route.troubled) == (False, True)
    assert ward.span is None


def test_when_the_time_is_over_one_message_is_a_try_and_others_wait_for_what_comes_of_it(ward: Ward) -> None:
    ward.fail(3)
    ward.now += 0.99
    assert isinstance(ward.call(), Refusal)
    ward.now += 0.02
    probe = ward.request()
    assert ward.route.function(probe) == b"ok"
    assert "it is being tried again now" in ward.call().text
    assert ward.quarantine.quarantined()[0].until is None
    ward.quarantine.succeeded(probe)
    assert ward.span is None
    assert ward.route.function == ward.handle
    assert ward.handled == [probe]


def test_a_try_that_fails_doubles_the_time_up_to_the_longest(ward: Ward) -> None:
    ward.fail(3)
    spans = [ward.span]
    for _ in range(3):
        ward.now += 5
        ward.call(lambda request: ward.quarantine.failed(request, BAD))
        spans.append(ward.span)
        assert isinstance(ward.call(), Refusal)
    assert spans == [1.0, 2.0, 3.0, 3.0]


def test_a_try_that_hangs_does_too(ward: Ward) -> None:
    ward.fail(3)
    ward.now += 5
    ward.call(lambda request: ward.quarantine.timed_out(request, 30.0))
    assert ward.span == 2.0
    assert "took longer than 30 s when it was tried again" in ward.call().text


def test_a_try_that_is_refused_decides_nothing_and_the_next_one_is_it(ward: Ward) -> None:
    ward.fail(3)
    ward.now += 5
    ward.call(ward.quarantine.undecided)
    ward.call(ward.quarantine.succeeded)
    assert len(ward.handled) == 2
    assert ward.span is None


def test_what_had_begun_before_decides_nothing(ward: Ward) -> None:
    early = ward.request()
    ward.fail(3)
    ward.quarantine.succeeded(early)
    assert ward.span == 1.0
    ward.quarantine.failed(early, BAD)
    ward.quarantine.timed_out(early, 30.0)
    assert ward.span == 1.0


def test_released_by_command(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    assert not ward.quarantine.release(7)
    ward.fail(2)
    assert not ward.quarantine.release(7), "failing is not quarantined yet"
    ward.fail()
    assert ward.quarantine.release(7)
    assert ward.call() == b"ok"
    assert not ward.route.troubled
    assert "is released by command" in caplog.text
    assert not ward.quarantine.release(8)


def test_changes_are_told_once(ward: Ward) -> None:
    ward.fail(2)
    assert not ward.quarantine.take_change()
    ward.fail()
    assert ward.quarantine.take_change()
    assert not ward.quarantine.take_change()
    ward.now += 5
    ward.call(ward.quarantine.succeeded)
    assert ward.quarantine.take_change()


def test_one_that_takes_anothers_place_goes_on_with_what_that_one_knew(ward: Ward) -> None:
    ward.quarantine.inherit(7, "took longer than 30 s 2 times in a row", 2.0)
    ward.quarantine.inherit(8, "is of a plugin that has gone", 2.0)
    assert [(one.id, one.span) for one in ward.quarantine.quarantined()] == [(7, 2.0)]
    ward.now += 2.1
    ward.call(lambda request: ward.quarantine.failed(request, BAD))
    assert ward.span == 3.0


def test_switched_off_it_never_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    ward = Ward(monkeypatch, QuarantineSettings(enabled=False, failures=1, timeouts=1))
    ward.fail(5)
    ward.quarantine.timed_out(ward.request(), 1.0)
    ward.quarantine.holds_all(ward.request())
    ward.quarantine.inherit(7, "hung", 1.0)
    assert ward.call() == b"ok"
    assert ward.quarantine.quarantined() == []
