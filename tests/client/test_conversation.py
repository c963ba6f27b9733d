"""The conversation, without a socket: a model of it, and whatever bytes come."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commscaffoldd.client.conversation import NEVER, Conversation, Push
from commscaffoldd.client.errors import ClientError, ConnectionClosed, ErrorReply, FrameError, NotHandled
from commscaffoldd.client.waiter import Waiter
from commscaffoldd.core.framing import FrameReader
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.core.layouts import layouts

STANDARD = PRESETS["standard"]
NARROW = Layout("narrow", LayoutSpec(fields=("length:u16", "id:u16", "sequence:u8")))


class Recorder(Waiter):
    """Keeps what it gets."""

    __slots__ = ("error", "last", "replies")

    def __init__(self, last: int = 1) -> None:
        super().__init__()
        self.replies: list[bytes] = []
        self.error: ClientError | None = None
        self.last = last

    def reply(self, body: bytes) -> bool:
        assert self.open
        self.replies.append(body)
        return not self.open

    def fail(self, error: ClientError) -> None:
        assert self.open
        self.error = error

    @property
    def open(self) -> bool:
        return self.error is None and len(self.replies) < self.last


def conversation(layout: Layout = STANDARD, heartbeat: float | None = None) -> Conversation:
    return Conversation(layout, "here:1", 0.0, max_body=1 << 20, default_id=1, heartbeat=heartbeat)


class Talk(RuleBasedStateMachine):
    """A client and a daemon, which answers in any order that its layout allows, or errs, or goes."""

    @initialize(layout=st.sampled_from([*PRESETS.values(), NARROW]))
    def begin(self, layout: Layout) -> None:
        self.layout = layout
        self.conversation = conversation(layout)
        self.daemon = FrameReader(layout, 1 << 20)
        self.unanswered: list[tuple[int, int, Recorder]] = []  # message ID, sequence, who waits; in order
        self.all: list[Recorder] = []
        self.abandoned: list[tuple[int, int]] = []
        self.answered = 0
        self.unusable = False

    def _open(self) -> bool:
        return not (self.conversation.leaving or self.conversation.ended or self.unusable)

    def _take(self, *frames: tuple[int, int, bytes]) -> list[Push]:
        pushes = self.conversation.receive(b"".join(self.layout.encode(*frame) for frame in frames), 0.0)
        assert self.conversation.failure is None
        return pushes

    @precondition(lambda self: self._open() and len(self.unanswered) < 200)
    @rule(message_id=st.integers(1, 3), body=st.binary(max_size=8), replies=st.integers(1, 2))
    def call(self, message_id: int, body: bytes, replies: int) -> None:
        waiter = Recorder(replies if self.layout.has_sequence else 1)
        frames, failure = self.daemon.feed(self.conversation.call(waiter, message_id, body, 0.0))
        assert failure is None
        ((seen_id, sequence, seen_body),) = frames
        assert seen_body == body
        assert seen_id == (message_id if self.layout.has_id else 1)
        if self.layout.has_sequence:
            assert sequence
            assert sequence not in [other for _, other, _ in self.unanswered]
        self.unanswered.append((seen_id, sequence, waiter))
        self.all.append(waiter)

    def _next(self, data: st.DataObject) -> tuple[int, int, Recorder]:
        """One that the daemon may answer now."""
        if self.layout.has_sequence:
            return data.draw(st.sampled_from(self.unanswered))
        heads = {entry[0]: entry for entry in reversed(self.unanswered)}
        return data.draw(st.sampled_from(list(heads.values())))

    @precondition(lambda self: self.unanswered and not self.conversation.ended and not self.unusable)
    @rule(data=st.data(), body=st.binary(max_size=8))
    def reply(self, data: st.DataObject, body: bytes) -> None:
        entry = self._next(data)
        message_id, sequence, waiter = entry
        assert self._take((message_id, sequence, body)) == []
        assert waiter.replies[-1] == body
        self.answered = max(self.answered, waiter.order)
        if not waiter.open:
            self.unanswered.remove(entry)

    @precondition(lambda self: self.unanswered and self.layout.has_id and not self.conversation.ended)
    @rule(data=st.data(), code=st.integers(1, 65535))
    def refuse(self, data: st.DataObject, code: int) -> None:
        if self.unusable:
            return
        entry = self._next(data)
        message_id, sequence, waiter = entry
        assert self.layout.error_id is not None
        assert self._take((self.layout.error_id, sequence, struct.pack(">IH", message_id, code) + b"no")) == []
        assert isinstance(waiter.error, ErrorReply)
        assert (waiter.error.code, waiter.error.id, waiter.error.text) == (code, message_id, "no")
        self.answered = max(self.answered, waiter.order)
        self.unanswered.remove(entry)

    @precondition(lambda self: not self.conversation.ended and (self.layout.has_sequence or self.layout.has_id))
    @rule(body=st.binary(min_size=1, max_size=8))
    def push(self, body: bytes) -> None:
        assert self._take((9, 0, body), (0, 0, b"") if self.layout.has_id else (9, 0, body))[0] == Push(9, body)

    @precondition(lambda self: self.unanswered and not self.conversation.ended)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.unanswered))
        must_close = self.conversation.abandon(entry[2])
        assert must_close == (not self.layout.has_sequence)
        assert not self.conversation.abandon(entry[2]), "twice does nothing"
        self.unanswered.remove(entry)
        if must_close:
            self.unusable = True
        else:
            self.abandoned.append(entry[:2])

    @precondition(lambda self: self.abandoned and not self.conversation.ended)
    @rule(data=st.data())
    def reply_late(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.abandoned))
        self.abandoned.remove(entry)
        assert self._take((*entry, b"late")) == []

    @precondition(lambda self: self.layout.has_id and not self.conversation.ended)
    @rule()
    def go_away(self) -> None:
        assert self.layout.go_away_id is not None
        assert self._take((self.layout.go_away_id, 0, b"")) == []
        assert self.conversation.leaving
        with pytest.raises(NotHandled):
            self.conversation.call(Recorder(), 1, b"", 0.0)

    @precondition(lambda self: not self.conversation.ended)
    @rule()
    def end(self) -> None:
        leaving = self.conversation.leaving
        self.conversation.end(ConnectionClosed("gone"))
        for _, _, waiter in self.unanswered:
            assert isinstance(waiter.error, ConnectionClosed)
            assert isinstance(waiter.error, NotHandled) == (leaving and waiter.order > self.answered)
        self.unanswered.clear()

    @precondition(lambda self: self.conversation.ended)
    @rule()
    def nothing_more_after_the_end(self) -> None:
        self.conversation.end(FrameError("too late"))
        assert isinstance(self.conversation.ended, ConnectionClosed)
        with pytest.raises(NotHandled):
            self.conversation.send(1, b"", 0.0)

    @invariant()
    def whoever_is_open_waits(self) -> None:
        if hasattr(self, "conversation"):
            assert self.conversation.in_flight == len(self.unanswered)


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@given(layout=layouts(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_bytes_come_nothing_raises_and_nothing_waits_after_the_end(
    layout: Layout, data: st.DataObject
) -> None:
    talk = conversation(layout)
    waiters = [Recorder() for _ in range(3)]
    body = bytes(min(layout.max_body, max(layout.min_body, 1)))
    for number, waiter in enumerate(waiters):
        talk.call(waiter, min(number + 1, layout.max_id), body, 0.0)
    for part in data.draw(st.lists(st.binary(max_size=60), max_size=5)):
        talk.receive(part, 0.0)
    talk.end(talk.failure or talk.end_of_stream)
    assert not any(waiter.open for waiter in waiters)
    assert not talk.in_flight


def test_after_go_away_only_what_was_sent_after_all_that_is_answered_was_not_handled() -> None:
    talk = conversation()
    silent, answered, unread = Recorder(), Recorder(), Recorder()
    for waiter in (silent, answered, unread):
        talk.call(waiter, 5, b"", 0.0)
    talk.receive(STANDARD.encode(5, answered.sequence, b"") + STANDARD.encode(0xFFFFFFFE, 0, b""), 0.0)
    talk.end(talk.end_of_stream)
    assert type(silent.error) is ConnectionClosed
    assert type(unread.error) is NotHandled


def test_an_abandoned_sequence_is_not_used_again_where_they_are_few() -> None:
    talk = conversation(NARROW)
    given_up = Recorder()
    talk.call(given_up, 5, b"", 0.0)
    assert not talk.abandon(given_up)
    used = []
    for _ in range(300):
        waiter = Recorder()
        talk.call(waiter, 5, b"", 0.0)
        used.append(waiter.sequence)
        talk.receive(NARROW.encode(5, waiter.sequence, b""), 0.0)
        assert waiter.replies == [b""]
    assert given_up.sequence not in used
    talk.receive(NARROW.encode(5, given_up.sequence, b"late"), 0.0)
    assert talk.unclaimed == 1


def test_too_many_abandoned_ones_wear_a_connection_out() -> None:
    talk = conversation(NARROW)
    worn = []
    for _ in range(128):
        waiter = Recorder()
        talk.call(waiter, 5, b"", 0.0)
        worn.append(talk.abandon(waiter))
    assert worn == [False] * 127 + [True]


def test_more_requests_than_sequences_is_an_error() -> None:
    talk = conversation(NARROW)
    for _ in range(255):
        talk.call(Recorder(), 5, b"", 0.0)
    with pytest.raises(ClientError, match="all sequences of layout narrow wait for replies"):
        talk.call(Recorder(), 5, b"", 0.0)


def test_an_id_beyond_32_bits_is_known_by_its_low_ones_in_an_error_reply() -> None:
    wide = Layout("wide", LayoutSpec(fields=("length:u32", "id:u64")))
    talk, waiter = conversation(wide), Recorder()
    talk.call(waiter, (1 << 40) + 7, b"", 0.0)
    talk.receive(wide.encode(wide.max_id, 0, struct.pack(">IH", 7, 1)), 0.0)
    assert isinstance(waiter.error, ErrorReply)


def test_heartbeats_are_due_after_silence_in_either_direction() -> None:
    talk = conversation(heartbeat=10.0)
    assert talk.beat_at == 10.0
    assert talk.beat(9.9) == b""
    talk.receive(STANDARD.encode(5, 0, b"push"), 9.0)  # it talks, we do not
    assert talk.beat(10.0) == STANDARD.encode(0, 0, b"")
    talk.receive(STANDARD.encode(0, 0, b""), 10.5)
    assert talk.beat_at == 20.0
    talk.send(5, b"", 15.0)
    assert talk.beat(20.4) == b""
    assert talk.beat(20.5) == STANDARD.encode(0, 0, b"")  # we talk, it does not
    assert talk.beat(30.4) == b""
    with pytest.raises(ConnectionClosed, match=r"here:1: no sign of life for 20 seconds"):
        talk.beat(30.5)


def test_no_heartbeats_where_the_layout_has_none_or_after_the_end() -> None:
    assert conversation(PRESETS["erlang"], 1.0).beat_at == NEVER
    talk = conversation(heartbeat=1.0)
    talk.end(ConnectionClosed("gone"))
    assert talk.beat_at == NEVER
    assert talk.beat(100.0) == b""


def test_frames_before_garbage_are_taken_and_pushes_given() -> None:
    talk, waiter = conversation(), Recorder()
    talk.call(waiter, 5, b"", 0.0)
    data = STANDARD.encode(6, 0, b"news") + STANDARD.encode(5, 1, b"reply") + b"\xff" * 16
    assert talk.receive(data, 0.0) == [Push(6, b"news")]
    assert waiter.replies == [b"reply"]
    assert isinstance(talk.failure, FrameError)
    assert str(talk.failure).startswith("here:1: not a frame of layout standard: length 4294967295")
