from __future__ import annotations

import errno
import os

import pytest

from commscaffoldd.client.load_errors import ErrorCount, ErrorTally, Kind, connect_kind


def test_each_kind_and_code_is_counted_with_what_the_first_said_the_most_frequent_first() -> None:
    tally = ErrorTally()
    tally.add(Kind.NO_REPLY, "no reply")
    for number in range(3):
        tally.add(Kind.ERROR_REPLY, f"text {number}", code=3)
    tally.add(Kind.ERROR_REPLY, "another", code=1001, times=2)
    assert tally.counts() == [
        ErrorCount(Kind.ERROR_REPLY, 3, 3, "text 0"),
        ErrorCount(Kind.ERROR_REPLY, 1001, 2, "another"),
        ErrorCount(Kind.NO_REPLY, None, 1, "no reply"),
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNREFUSED, Kind.REFUSED),
        (errno.ECONNRESET, Kind.RESET),
        (errno.ETIMEDOUT, Kind.CONNECT_TIMEOUT),
        (errno.EADDRNOTAVAIL, Kind.CONNECT_FAILED),
    ],
)
def test_a_failure_to_connect_has_a_kind(code: int, kind: Kind) -> None:
    assert connect_kind(OSError(code, os.strerror(code))) is kind
