"""Filters: whose messages, and which."""

from __future__ import annotations

import pytest

from commscaffoldd.capture.filter import CaptureFilter, answered_id, low_ids, peer_matcher
from commscaffoldd.core.endpoint import encode_error


@pytest.mark.parametrize(
    ("wanted", "peer", "matches"),
    [
        ("", "192.0.2.7:51234", True),
        ("", "unix:", True),
        ("192.0.2.7", "192.0.2.7:51234", True),
        ("192.0.2.7", "192.0.2.8:51234", False),
        ("192.0.2.0/24", "192.0.2.8:1", True),
        ("192.0.2.0/24", "192.0.3.8:1", False),
        ("192.0.2.9/24", "192.0.2.8:1", True),
        ("192.0.2.7:51234", "192.0.2.7:51234", True),
        ("192.0.2.7:51234", "192.0.2.7:51235", False),
        ("2001:db8::/32", "[2001:db8::1]:51234", True),
        ("2001:db8::/32", "192.0.2.7:51234", False),
        ("[2001:db8::1]:51234", "[2001:db8::1]:51234", True),
        ("[2001:0db8::0001]:51234", "[2001:db8::1]:51234", True),
        ("192.0.2.7", "[::ffff:192.0.2.7]:51234", True),
        ("192.0.2.0/24", "[::ffff:192.0.2.7]:51234", True),
        ("192.0.2.7:51234", "[::ffff:192.0.2.7]:51234", True),
        ("::ffff:192.0.2.7", "[::ffff:192.0.2.7]:51234", True),
        ("192.0.2.7:51234", "unix:", False),
        ("unix:", "unix:", True),
        ("unix:", "192.0.2.7:51234", False),
        ("192.0.2.7", "unix:", False),
    ],
)
def test_peers(wanted: str, peer: str, *, matches: bool) -> None:
    assert peer_matcher(wanted)(peer) is matches


@pytest.mark.parametrize("wanted", ["nonsense", "300.1.1.1", "192.0.2.0/40", "example.com:1", ":", "192.0.2.7:x"])
def test_a_wrong_peer_says_what_is_allowed(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"is no peer; allowed: an address"):
        peer_matcher(wanted)


def test_an_error_reply_counts_as_the_id_that_it_answers() -> None:
    body = encode_error(5, 3, "no")
    assert answered_id(0xFFFFFFFF, body, 0xFFFFFFFF) == 5
    assert answered_id(9, body, 0xFFFFFFFF) == 9
    assert answered_id(9, body, None) == 9
    assert answered_id(0xFFFFFFFF, b"", 0xFFFFFFFF) == 0xFFFFFFFF


def test_error_replies_have_the_low_bits_of_large_ids() -> None:
    assert low_ids((5, 2**40 + 3)) == {5, 2**40 + 3, 3}


def test_a_filter_in_words() -> None:
    assert CaptureFilter().describe() == "everything"
    assert CaptureFilter((1, 2), "unix:", "in").describe() == "ID 1, 2; peer unix:; direction in"
