"""Bodies as MessagePack and JSON: values of all types that msgspec knows."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commscaffoldd.codecs import BadBody, Format, NoCodecError, codec_for
from commscaffoldd.codecs.base import FORMATS


class Address(msgspec.Struct):
    street: str
    number: Annotated[int, msgspec.Meta(ge=1)]


class Login(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=8)]
    secret: bytes
    address: Address | None = None
    tags: list[str] = []


class Tree(msgspec.Struct):
    below: list[Tree] = []


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: float


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Options(TypedDict):
    depth: int


class Colour(enum.Enum):
    RED = "red"


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


@pytest.mark.parametrize("format", ["msgpack", "json"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Login, Login("ann", b"\x00\xff", Address("Hill", 3), ["a"])),
        (Point, Point(1, 2)),
        (Options, {"depth": 3}),
        (list[Point], [Point(1), Point(2)]),
        (dict[str, int], {"a": 1}),
        (Circle | Square, Square(2.0)),
        (int, 5),
        (float, 1),
        (Colour, Colour.RED),
        (Literal["on", "off"], "on"),
        (dt.datetime, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        (Any, {"a": [1, None, "x"]}),
        (Tree, Tree([Tree()])),
    ],
)
def test_what_is_encoded_is_decoded(kind: Any, value: object, format: Format) -> None:  # noqa: A002
    codec = codec_for(kind, format)

    assert codec.decode(codec.encode(value)) == value
    assert (codec.name, codec.type) == (format, kind)


def test_message_pack_without_a_format() -> None:
    assert codec_for(Address).encode(Address("Hill", 3)) == pack({"street": "Hill", "number": 3})
    assert codec_for(Address, "json").encode(Address("Hill", 3)) == b'{"street":"Hill","number":3}'


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (Login, pack({"name": "ann"}), "body: Object missing required field `secret`"),
        (Login, pack({"name": 5}), "body.name: Expected `str`, got `int`"),
        (Login, pack({"name": ""}), "body.name: Expected `str` of length >= 1"),
        (
            Login,
            pack({"name": "ann", "secret": b"", "address": {"street": "Hill", "number": 0}}),
            "body.address.number: Expected `int` >= 1",
        ),
        (
            Login,
            pack({"name": "ann", "secret": b"", "tags": ["a", 2]}),
            "body.tags[1]: Expected `str`, got `int`",
        ),
        (dict[str, dict[int, str]], pack({"seen": {"x": "y"}}), "body[...], a key: Expected `int`, got `str`"),
        (dict[tuple[int, int], str], pack({(1, "x"): "y"}), "body, a key[1]: Expected `int`, got `str`"),
        (Login, pack([1]), "body: Expected `object`, got `array`"),
        (Login, b"", "body: not the MessagePack that is expected: Input data was truncated"),
        (
            Login,
            pack(Login("ann", b"")) + b"x",
            (
                "body: not the MessagePack that is expected: MessagePack data is malformed: trailing characters "
                "(byte 34)"
            ),
        ),
        (str | int, b"\xa1\xff", "body: a text in it is not UTF-8: invalid start byte"),
        (Tree, b"\x81\xa5below\x91" * 100_000, "body: nested too deeply"),
        (Circle | Square, pack({"type": "Star"}), "body.type: Invalid value 'Star'"),
    ],
)
def test_a_body_that_does_not_fit_is_told_where_and_why(kind: Any, body: bytes, why: str) -> None:
    with pytest.raises(BadBody) as caught:
        codec_for(kind).decode(body)

    assert str(caught.value) == why


def test_what_a_client_is_told_is_one_short_line_without_control_characters() -> None:
    class Strict(msgspec.Struct, forbid_unknown_fields=True):
        pass

    with pytest.raises(BadBody) as caught:
        codec_for(Strict).decode(pack({"\x1b[2J\n" + "x" * 1_000_000: 1}))

    text = str(caught.value)
    assert text.isprintable()
    assert len(text) <= 300
    assert r"\x1b[2J" in text


@pytest.mark.parametrize(("body", "language"), [(b"\x91\x80", "msgpack"), (b"[{}]", "json")])
def test_what_cannot_be_in_a_set_is_a_bad_body(body: bytes, language: Format) -> None:
    with pytest.raises(BadBody, match=r"body: unhashable type: 'dict' \(in a set\)"):
        codec_for(set[Any], language).decode(body)


def test_a_type_error_of_a_types_own_code_is_its_fault() -> None:
    class Own(msgspec.Struct):
        number: int = msgspec.field(default_factory=lambda: int([]))  # type: ignore[call-overload]

    with pytest.raises(TypeError, match="int\\(\\) argument"):
        codec_for(Own).decode(b"\x80")


def test_a_struct_that_refuses_for_itself() -> None:
    class Span(msgspec.Struct):
        first: int
        last: int

        def __post_init__(self) -> None:
            if self.first > self.last:
                raise ValueError("first is after last")

    with pytest.raises(BadBody, match=r"^body\[0\]: first is after last$"):
        codec_for(list[Span]).decode(pack([{"first": 2, "last": 1}]))


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (Address, {"street": "Hill"}, "expected Address, found dict"),
        (Address, None, "expected Address, found NoneType"),
        (Circle | Square, Address("Hill", 1), r"expected Circle \| Square, found Address"),
        (list[int], (1, 2), r"expected list\[int\], found tuple"),
        (dict[str, Any], {"a": object()}, "object is unsupported"),
        (Literal["on"], 5, "expected .*, found int"),
    ],
)
def test_a_value_of_another_type_is_not_encoded(kind: Any, value: object, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        codec_for(kind).encode(value)


def test_subclasses_are_values_of_the_type() -> None:
    class Longer(Address):
        city: str = ""

    assert msgspec.msgpack.decode(codec_for(Address).encode(Longer("Hill", 1, "Rome")))["city"] == "Rome"


class Strange:
    pass


class HasStrange(msgspec.Struct):
    inner: list[Strange]


class Unresolved(msgspec.Struct):
    what: NoSuchName  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (
            Strange,
            (
                "there is no codec for Strange: make it a msgspec.Struct, mark it with @codec, or write "
                r"Annotated\[Strange, A_CODEC\]"
            ),
        ),
        (HasStrange, r"there is no codec for Strange \(in HasStrange\)"),
        (Unresolved, "there is no codec for Unresolved: NameError: name 'NoSuchName' is not defined"),
        (Address | Login, r"there is no codec for Address \| Login: TypeError: .* all Struct types must be tagged"),
        (bytearray, "there is no codec for bytearray: a body is bytes"),
        (memoryview, "there is no codec for memoryview: a body is bytes"),
        (complex, "there is no codec for complex"),
        ("Login", "there is no codec for Login"),
        (5, "there is no codec for 5"),
    ],
)
def test_types_that_cannot_travel_are_refused_before_any_message(kind: Any, why: str) -> None:
    with pytest.raises(NoCodecError, match=why):
        codec_for(kind)


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="there is no format 'xml'; there are: msgpack, json"):
        codec_for(Login, "xml")  # type: ignore[arg-type]


ALL: list[Any] = [
    *(Login, Tree, Circle | Square, Point, Options, list[int], dict[str, Any], Any, int, dt.datetime),
    *(set[Any], frozenset[Any], set[list[int]], dict[Any, set[Any]]),
]
CODECS = [codec_for(kind, language) for kind in ALL for language in FORMATS]
MESSAGES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["name", "secret", "x"]), inner),
)


def value_or_bad_body(body: bytes) -> None:
    for codec in CODECS:
        with contextlib.suppress(BadBody):
            codec.decode(body)


@given(st.binary())
@example(b"\xdd\xff\xff\xff\xff")  # an array that says it has four billion elements
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xc6\xff\xff\xff\xff")
@example(b"\x91\x80")  # a set with a map in it
@example(b"[{}]")
@example(b"[" * 100_000)
@example(b"\x91" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'"\\ud800"')
@example(b"1e999999999")
@example(b"9" * 100_000)
@example(b"\xc7\x0c\xff" + b"\xff" * 12)  # a time beyond all calendars
def test_any_bytes_are_a_value_or_a_bad_body(body: bytes) -> None:
    value_or_bad_body(body)


@given(MESSAGES)
def test_any_value_is_a_value_or_a_bad_body(value: object) -> None:
    value_or_bad_body(msgspec.msgpack.encode(value))
    value_or_bad_body(msgspec.json.encode(value))
