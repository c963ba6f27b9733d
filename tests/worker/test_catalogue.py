"""The catalogue of a worker's handlers and configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from commscaffoldd.config.load import parse
from commscaffoldd.core.route import Route
from commscaffoldd.worker.catalogue import catalogue_of, handler_facts

CONFIG = """
[[listen]]
address = "127.0.0.1:9000"
[[listen]]
address = "127.0.0.1:9001"
layout = "erlang"
default_id = 7
[heartbeat]
interval = 5.0
misses = 2
[flood]
enabled = false
"""


def never_replies(_request: object) -> None:
    """Takes it.

    And says nothing.
    """


def replies(_request: object) -> bytes:
    return b""


def unknown(_request: object) -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
    ...


def test_listeners_and_limits_are_those_of_the_configuration(tmp_path: Path) -> None:
    catalogue = catalogue_of(parse(CONFIG, tmp_path / "c.toml"), {3: Route(3, replies, "p", "Class.replies", "pool")})
    assert [(one.address, one.layout, one.default_id) for one in catalogue.listeners] == [
        ("127.0.0.1:9000", "standard", 1),
        ("127.0.0.1:9001", "erlang", 7),
    ]
    assert catalogue.listeners[0].error_id == 2**32 - 1
    assert (catalogue.limits.heartbeat_interval, catalogue.limits.silence) == (5.0, 10.0)
    assert catalogue.limits.flood_rate is None
    (message,) = catalogue.messages
    assert (message.id, message.name, message.plugin, message.timeout) == (3, "replies", "p", 30.0)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (replies, (True, False)),
        (never_replies, (False, True)),
        (unknown, (True, True)),
        (lambda _: b"", (True, True)),
    ],
)
def test_the_return_annotation_says_what_comes_back(
    function: Callable[[object], object], expected: tuple[bool, bool]
) -> None:
    found = handler_facts(Route(1, function, "p", "f", "inline", 2.0), 30.0)
    assert (found.reply is not None, found.may_be_silent) == expected
    assert found.timeout == 2.0


def test_the_docstring_is_the_description() -> None:
    assert handler_facts(Route(1, never_replies, "p", "f", "pool"), 0).doc == "Takes it.\n\nAnd says nothing."
