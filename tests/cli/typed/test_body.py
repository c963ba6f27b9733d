"""JSON to bodies and back: what a codec of the same type makes of them is what was meant."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from commscaffoldd.cli.typed.body import BodyType, NotConvertible, body_from_json, body_to_json


class Colour(enum.Enum):
    RED = "red"


class Point(Struct, array_like=True):
    x: int
    key: bytes


class Circle(Struct, tag="circle"):
    data: bytes


class Label(Struct, tag="label"):
    data: str


class Everything(Struct):
    name: str
    key: bytes
    keys: list[bytes]
    by_name: dict[str, bytes]
    maybe: bytes | None
    either: str | int
    when: dt.datetime
    day: dt.date
    span: dt.timedelta
    who: uuid.UUID
    price: Decimal
    colour: Colour
    points: list[Point]
    shapes: list[Circle | Label]
    pair: tuple[int, bytes]
    some: float = 0.5


EXAMPLE = Everything(
    name="eA==",  # text that looks like base64 stays text
    key=b"\x00\xff",
    keys=[b"", b"one"],
    by_name={"a": b"b"},
    maybe=b"x",
    either="eA==",
    when=dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC),
    day=dt.date(2026, 1, 2),
    span=dt.timedelta(minutes=90),
    who=uuid.UUID(int=7),
    price=Decimal("1.50"),
    colour=Colour.RED,
    points=[Point(1, b"\x80")],
    shapes=[Circle(b"\x81"), Label("eA==")],
    pair=(1, b"\x82"),
)


def msgpack(type_: Any) -> BodyType:
    return BodyType("msgpack", msgspec.json.schema(type_))


def test_json_becomes_the_message_that_its_type_means() -> None:
    body = body_from_json(msgspec.json.encode(EXAMPLE), msgpack(Everything))
    assert msgspec.msgpack.decode(body, type=Everything) == EXAMPLE


def test_a_message_is_shown_as_the_json_that_would_send_it() -> None:
    shown = body_to_json(msgspec.msgpack.encode(EXAMPLE), "msgpack")
    assert msgspec.json.decode(shown, type=Everything) == EXAMPLE


def test_without_a_schema_json_is_taken_for_what_it_says() -> None:
    body = body_from_json('{"user": "bob", "tries": [1, null, 1.5]}', BodyType("msgpack"))
    assert msgspec.msgpack.decode(body) == {"user": "bob", "tries": [1, None, 1.5]}


def test_json_and_text_are_themselves() -> None:
    assert body_from_json('{ "user": "bob" }', BodyType("json")) == b'{"user":"bob"}'
    assert body_from_json('"hé"', BodyType("str")) == "hé".encode()
    assert body_to_json("hé".encode(), "str") == '"hé"'.encode()
    assert body_to_json(b'{ "user": "bob" }', "json") == b'{"user":"bob"}'


def test_what_json_cannot_hold_can_still_be_read() -> None:
    body = msgspec.msgpack.encode({7: b"\xff", None: msgspec.msgpack.Ext(5, b"x"), True: 2})
    assert body_to_json(body, "msgpack") == b'{"7":"/w==","None":{"extension":5,"data":"eA=="},"True":2}'


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("{user: 1}", BodyType("msgpack"), "not JSON: JSON is malformed"),
        ("1", BodyType("str"), 'a string, such as "hello"'),
        (str(2**70), BodyType("msgpack"), ""),
        ("{}", BodyType("protobuf"), "format protobuf cannot be made from JSON"),
        ('{"data": "?"}', msgpack(Circle), "$.data is bytes: in JSON they are base64, which '?' is not"),
        ('[{"type": "circle", "data": "?"}]', msgpack(list[Circle | Label]), "$[0].data is bytes"),
    ],
)
def test_what_cannot_be_sent_is_said(text: str, kind: BodyType, said: str) -> None:
    with pytest.raises(NotConvertible) as raised:
        body_from_json(text, kind)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("body", "name"),
    [(b"\xc1", "msgpack"), (b"\x91" * 9999, "msgpack"), (b"{", "json"), (b"\xff", "str"), (b"", "protobuf")],
)
def test_what_cannot_be_shown_is_said(body: bytes, name: str) -> None:
    with pytest.raises(NotConvertible):
        body_to_json(body, name)


@given(st.binary(max_size=64))
def test_any_bytes_are_shown_or_refused(body: bytes) -> None:
    for name in ("msgpack", "json", "str"):
        try:
            msgspec.json.decode(body_to_json(body, name))
        except NotConvertible:
            continue


class Tree(Struct):
    data: bytes
    left: Tree | None = None


def test_a_type_that_contains_itself() -> None:
    tree = Tree(b"\x80", Tree(b"\x81"))
    body = body_from_json(msgspec.json.encode(tree), msgpack(Tree))
    assert msgspec.msgpack.decode(body, type=Tree) == tree
