"""Pairing: which request a message from the daemon answers, in every layout."""

from __future__ import annotations

from commscaffoldd.capture.pairing import Pairing
from commscaffoldd.core.endpoint import encode_error
from commscaffoldd.core.layout import PRESETS

ERROR = 0xFFFFFFFF


def pairing(layout: str, *asked: tuple[int, int]) -> Pairing:
    made = Pairing(PRESETS[layout])
    for index, (message_id, sequence) in enumerate(asked):
        made.ask(index, message_id, sequence)
    return made


def test_by_sequence_in_whatever_order() -> None:
    made = pairing("standard", (5, 1), (5, 2), (6, 3))
    assert [made.answered(5, 2, b""), made.answered(6, 3, b""), made.answered(5, 1, b"")] == [1, 2, 0]


def test_an_error_reply_has_the_sequence_of_its_request() -> None:
    assert pairing("standard", (5, 1), (5, 2)).answered(ERROR, 2, encode_error(5, 3, "")) == 1


def test_several_replies_to_one_request() -> None:
    made = pairing("standard", (5, 1))
    assert [made.answered(5, 1, b"one"), made.answered(5, 1, b"two")] == [0, 0]


def test_a_sequence_that_is_used_again() -> None:
    made = pairing("standard", (5, 1), (5, 1))
    assert [made.answered(5, 1, b""), made.answered(5, 1, b"")] == [0, 1]


def test_a_push_answers_nothing() -> None:
    assert pairing("standard", (5, 1)).answered(9, 0, b"") is None
    assert pairing("zinx", (5, 0)).answered(9, 0, b"") is None


def test_by_id_and_order_where_there_is_no_sequence() -> None:
    made = pairing("zinx", (5, 0), (6, 0), (5, 0))
    assert [made.answered(5, 0, b""), made.answered(6, 0, b""), made.answered(5, 0, b"")] == [0, 1, 2]
    made = pairing("compact", (5, 0), (6, 0))
    assert made.answered(0xFFFF, 0, encode_error(6, 3, "")) == 1


def test_by_order_where_there_is_no_id() -> None:
    made = pairing("erlang", (1, 0), (1, 0))
    assert [made.answered(0, 0, b""), made.answered(1, 0, b"")] == [0, 1]


def test_it_does_not_matter_whether_the_next_request_comes_before_the_reply() -> None:
    made = pairing("zinx", (5, 0))
    assert made.answered(5, 0, b"") == 0
    made.ask(1, 5, 0)
    assert made.answered(5, 0, b"") == 1
