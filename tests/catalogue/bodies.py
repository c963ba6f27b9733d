"""Types of bodies that have everything in them that a catalogue must be able to say."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from msgspec import Meta, Struct, field


class Colour(enum.Enum):
    """What it looks like."""

    RED = "red"
    NOT_RED = "not-red"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(Struct, array_like=True):
    """Where it is."""

    x: int
    y: int
    label: str = ""


class Circle(Struct, tag="circle"):
    centre: Point
    radius: float


class Square(Struct, tag="square", array_like=True):
    corner: Point
    side: float


class Rect(Struct, tag="rect", forbid_unknown_fields=True):
    corner: Point
    size: tuple[float, float]


class Spot(NamedTuple):
    row: int
    column: int = 0


class Options(TypedDict, total=False):
    deep: bool
    limit: int


@dataclasses.dataclass
class Person:
    name: str
    nick: str | None = None


class Tree(Struct):
    """It contains itself."""

    value: int
    kids: list[Tree] = []


class Everything(Struct, kw_only=True):
    """One of each.

    With `code`, <angle> brackets & a | in its text.
    """

    flag: bool
    count: int
    small: Annotated[int, Meta(ge=-128, lt=128)]
    large: Annotated[int, Meta(extra_json_schema={"format": "uint64"})]
    ratio: Annotated[float, Meta(gt=0)]
    text: Annotated[str, Meta(max_length=40)]
    data: bytes
    when: dt.datetime
    zoned: Annotated[dt.datetime, Meta(tz=True)]
    local: Annotated[dt.datetime, Meta(tz=False)]
    day: dt.date
    span: dt.timedelta
    key: uuid.UUID
    price: decimal.Decimal
    colour: Colour
    level: Level = Level.LOW
    mode: Literal["fast", "slow", 3] = "fast"
    maybe: Annotated[int, Meta(ge=0)] | None = None
    numbers: list[int] = field(default_factory=list)
    pair: tuple[int, str] = (1, "a")
    by_name: dict[str, Point] = field(default_factory=dict)
    by_number: dict[int, str] = field(default_factory=dict)
    shape: Circle | Rect | None = None
    spot: Spot = Spot(1)
    options: Options | None = None
    person: Person | None = None
    tree: Tree | None = None
    anything: Any = None
    class_: str = field(name="class", default="")
    two_words: str = field(name="two-words", default="")


class Greeting(Struct):
    """What to say, and how often."""

    name: str
    times: Annotated[int, Meta(ge=1, le=10)] = 1


class Answer(Struct):
    text: str
