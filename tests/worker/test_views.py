"""What a worker tells of itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from commscaffoldd.core.quarantine import Quarantined
from commscaffoldd.plugin.host import load_plugins
from commscaffoldd.worker import views
from commscaffoldd.worker.views import describe_connections, describe_quarantined, describe_routes
from tests.core.slots import Recorder, connection_of, open_slot


def test_connections_the_longest_ones_first() -> None:
    young, old = open_slot(Recorder()), open_slot(Recorder(), "compact")
    now = time.monotonic()
    young.opened_at, old.opened_at = now - 5, now - 500
    young.last_seen, old.last_seen = now + 1, now - 7
    old.unsent, old.messages_in = 42, 3
    found = describe_connections([young, old], 2)
    assert [round(row["since"]) for row in found["connections"]] == [500, 5]
    row = found["connections"][0]
    assert row | {"since": 0, "idle": 7} == {
        "worker": 2,
        "id": "1.0.0",
        "peer": "192.0.2.7:51234",
        "user": None,
        "listen": "127.0.0.1:9000",
        "layout": "compact",
        "state": "open",
        "since": 0,
        "idle": 7,
        "messages_in": 3,
        "messages_out": 0,
        "waiting": 0,
        "unsent": 42,
        "paused": False,
    }
    assert found["connections"][1]["idle"] == 0
    assert found["truncated"] is False


def test_one_that_has_just_closed_is_left_out() -> None:
    slot = open_slot(Recorder())
    slot.connection = None
    assert describe_connections([slot], 1)["connections"] == []


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (None, None),
        ("ann", "ann"),
        ("\x1b[2J", "'\\x1b[2J'"),  # it does nothing to the terminal
        ({"id": 7}, "{'id': 7}"),
        ("a" * 300, "a" * 200),
    ],
)
def test_who_has_logged_in_is_shown(user: object, shown: str | None) -> None:
    slot = open_slot(Recorder())
    connection_of(slot).user = user
    assert describe_connections([slot], 1)["connections"][0]["user"] == shown


def test_the_answer_is_bounded() -> None:
    assert views.MOST == 10_000
    slots = [open_slot(Recorder())] * (views.MOST + 1)
    found = describe_connections(slots, 1)
    assert (len(found["connections"]), found["truncated"]) == (10_000, True)


def test_routes_by_message_id(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text(
        "from commscaffoldd import handler\n"
        "@handler(9, inline=True, timeout=0.5, open=True)\n"
        "def hello(request) -> bytes:\n    'Answers.'\n"
        "@handler(3)\n"
        "def more(request, body: int) -> None: ...\n"
    )
    raw = {"format": "bytes", "type": "bytes", "schema": {"type": "string", "contentEncoding": "base64"}}
    number = {"format": "msgpack", "type": "int", "schema": {"type": "integer"}}
    more, hello = describe_routes(load_plugins([tmp_path], (), {}), 30.0)
    assert hello == {
        "id": 9,
        "plugin": "greet",
        "function": "hello",
        "mode": "inline",
        "timeout": 0.5,
        "open": True,
        "stream": False,
        "doc": "Answers.",
        "body": raw,
        "reply": raw,
    }
    assert more == {
        "id": 3,
        "plugin": "greet",
        "function": "more",
        "mode": "pool",
        "timeout": 30.0,
        "open": False,
        "stream": False,
        "doc": "",
        "body": number,
        "reply": None,
    }


def test_quarantined_ids_with_times_of_day() -> None:
    found = Quarantined(7, "greet", "hello", "failed once in a row", "ValueError: bad", 0.0, None, 2.0)
    assert describe_quarantined([found]) == [
        {
            "id": 7,
            "plugin": "greet",
            "function": "hello",
            "reason": "failed once in a row",
            "last": "ValueError: bad",
            "since": "1970-01-01T00:00:00+00:00",
            "until": None,
            "span": 2.0,
        }
    ]
