"""Types of message bodies as data: enough to read and write a body in a language that has never seen the plugin.

JSON schema says less than is needed: to it `bytes` is a string, an array-like struct an array, and an integer has
no size. So what renderers read is this, and the schema goes along for tools that want one.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class Expression(Struct, frozen=True, tag_field="kind", omit_defaults=True):
    """What all of the types below have in common: `kind` tells them apart in JSON."""


class Any(Expression, frozen=True, tag="any"):
    """Whatever the format can carry."""


class Null(Expression, frozen=True, tag="null"):
    """Nothing: nil, null."""


class Boolean(Expression, frozen=True, tag="bool"):
    """True or false."""


class Integer(Expression, frozen=True, tag="int"):
    """A whole number; the bounds are included. The formats carry -2**63 to 2**64-1."""

    minimum: int | None = None
    maximum: int | None = None
    multiple_of: int | None = None


class Float(Expression, frozen=True, tag="float"):
    """A number of 64 bits. A whole number in its place is accepted."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None


class Text(Expression, frozen=True, tag="str"):
    """Unicode text; lengths are characters."""

    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


class Binary(Expression, frozen=True, tag="bytes"):
    """Bytes: `bin` in MessagePack, base64 text in JSON."""

    min_length: int | None = None
    max_length: int | None = None


class Timestamp(Expression, frozen=True, tag="datetime"):
    """A date and time.

    With a time zone it is MessagePack's timestamp extension (type -1), and RFC 3339 text in JSON; without one it is
    ISO 8601 text in both.

    Attributes:
        zoned: `True`: always with a time zone, `False`: never, `None`: either.
    """

    zoned: bool | None = None


class Formatted(Expression, frozen=True, tag="formatted"):
    """Text of a known form.

    Attributes:
        form: `date`, `time`, `duration` (ISO 8601), `uuid`, `decimal`.
    """

    form: str


class Literal(Expression, frozen=True, tag="literal"):
    """One of these values."""

    values: tuple[int | str | bool | None, ...]


class Array(Expression, frozen=True, tag="array"):
    """Any number of items of one type."""

    item: Type
    min_length: int | None = None
    max_length: int | None = None


class Tuple(Expression, frozen=True, tag="tuple"):
    """Items of these types, in this order."""

    items: tuple[Type, ...]


class Map(Expression, frozen=True, tag="map"):
    """Keys and values. In JSON keys are text, whatever their type."""

    key: Type
    value: Type


class Union(Expression, frozen=True, tag="union"):
    """One of these."""

    options: tuple[Type, ...]


class Reference(Expression, frozen=True, tag="ref"):
    """A type with a name, see `Record` and `Enumeration`."""

    name: str


class Opaque(Expression, frozen=True, tag="opaque"):
    """A type of which no more is known than its name, such as a custom codec's."""

    name: str


Type: TypeAlias = (
    Any
    | Null
    | Boolean
    | Integer
    | Float
    | Text
    | Binary
    | Timestamp
    | Formatted
    | Literal
    | Array
    | Tuple
    | Map
    | Union
    | Reference
    | Opaque
)


class Field(Struct, frozen=True, omit_defaults=True):
    """A record's field.

    Attributes:
        name: on the wire; in an array-like record only for people.
        type: of its value.
        required: whether a writer must give it; where not, readers have a default.
        default: that default, where JSON can show it; else absent.
    """

    name: str
    type: Type
    required: bool
    default: str = ""


class Record(Struct, frozen=True, tag="record", tag_field="kind", omit_defaults=True):
    """Named fields: a map with text keys, or an array in the fields' order.

    Attributes:
        name: unique in its catalogue.
        fields: in order.
        doc: the class's docstring.
        array_like: it is an array on the wire; the tag, if there is one, comes first.
        tag_field: the key of the tag; empty without a tag. An array has no keys, but renderers want a name.
        tag: the value by which this record is known among others.
        closed: unknown fields are refused.
    """

    name: str
    fields: tuple[Field, ...]
    doc: str = ""
    array_like: bool = False
    tag_field: str = ""
    tag: int | str = ""
    closed: bool = False


class Member(Struct, frozen=True):
    """One of an enumeration's values; on the wire it is the value."""

    name: str
    value: int | str


class Enumeration(Struct, frozen=True, tag="enumeration", tag_field="kind", omit_defaults=True):
    """Named values."""

    name: str
    members: tuple[Member, ...]
    doc: str = ""


NamedType: TypeAlias = Record | Enumeration
