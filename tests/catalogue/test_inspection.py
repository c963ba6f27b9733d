"""From annotations to types as data."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec
import pytest

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.inspection import describe_types, schema_of
from tests.catalogue import bodies


def fields_of(annotation: object, name: str) -> dict[str, wire.Field]:
    table = describe_types([annotation])
    (record,) = [one for one in table.named if one.name == name]
    assert isinstance(record, wire.Record)
    return {field.name: field for field in record.fields}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, wire.Integer()),
        (bytes, wire.Binary()),
        (Any, wire.Any()),
        (None, wire.Null()),
        (dt.date, wire.Formatted("date")),
        (list[int], wire.Array(wire.Integer())),
        (set[str], wire.Array(wire.Text())),
        (tuple[int, ...], wire.Array(wire.Integer())),
        (tuple[int, str], wire.Tuple((wire.Integer(), wire.Text()))),
        (dict[int, bytes], wire.Map(wire.Integer(), wire.Binary())),
        (int | None, wire.Union((wire.Integer(), wire.Null()))),
        (bodies.Point, wire.Reference("Point")),
        (complex, wire.Opaque("complex")),
    ],
)
def test_each_kind_of_type(annotation: object, expected: wire.Type) -> None:
    assert describe_types([annotation]).types == (expected,)


def test_fields_with_bounds_defaults_and_names_on_the_wire() -> None:
    fields = fields_of(bodies.Everything, "Everything")
    assert fields["small"].type == wire.Integer(-128, 127)
    assert fields["large"].type == wire.Integer(0, 2**64 - 1)
    assert fields["ratio"].type == wire.Float(gt=0)
    assert [fields[name].type for name in ("when", "zoned", "local")] == [
        wire.Timestamp(zoned) for zoned in (None, True, False)
    ]
    assert fields["class"] == wire.Field("class", wire.Text(), required=False, default='""')
    assert fields["mode"].default == '"fast"'
    assert fields["numbers"].default == "[]"
    assert fields["flag"].required


def test_records_say_how_they_look_on_the_wire() -> None:
    table = describe_types([bodies.Everything, bodies.Square])
    named = {one.name: one for one in table.named}
    point, circle, square, rect = (named[name] for name in ("Point", "Circle", "Square", "Rect"))
    assert isinstance(point, wire.Record)
    assert (point.array_like, point.doc, point.tag_field) == (True, "Where it is.", "")
    assert isinstance(circle, wire.Record)
    assert (circle.tag_field, circle.tag, circle.doc) == ("type", "circle", "")
    assert isinstance(square, wire.Record)
    assert (square.tag, square.array_like) == ("square", True)
    assert isinstance(rect, wire.Record)
    assert rect.closed
    assert named["Colour"] == wire.Enumeration(
        "Colour", (wire.Member("RED", "red"), wire.Member("NOT_RED", "not-red")), "What it looks like."
    )
    person, spot = named["Person"], named["Spot"]
    assert isinstance(person, wire.Record)
    assert person.doc == ""  # a dataclass's own docstring is its signature
    assert isinstance(spot, wire.Record)
    assert spot.array_like


def test_a_type_that_contains_itself() -> None:
    assert fields_of(bodies.Tree, "Tree")["kids"].type == wire.Array(wire.Reference("Tree"))


def test_two_classes_of_one_name_are_told_apart() -> None:
    other = msgspec.defstruct("Answer", [("code", int)], module="other")
    table = describe_types([bodies.Answer, other])
    assert table.types == (wire.Reference("tests.catalogue.bodies.Answer"), wire.Reference("other.Answer"))
    assert sorted(table.schemas) == sorted(one.name for one in table.named)


def test_schemas_have_the_names_of_the_types() -> None:
    table = describe_types([bodies.Everything])
    assert set(table.schemas) == {one.name for one in table.named}
    assert table.schemas["Everything"]["type"] == "object"


def test_what_cannot_be_looked_at_harms_nothing_else() -> None:
    class Broken(msgspec.Struct):
        thing: "NoSuchThing"  # type: ignore[name-defined]  # noqa: F821, UP037

    broken, good = describe_types([Broken, bodies.Answer]).types
    assert isinstance(broken, wire.Opaque)
    assert good == wire.Reference("Answer")


def test_types_survive_json() -> None:
    table = describe_types([bodies.Everything])
    again = msgspec.json.decode(msgspec.json.encode(table.named), type=tuple[wire.NamedType, ...])
    assert again == table.named


def test_an_example_that_is_no_json_is_told_by_its_class() -> None:
    schema = schema_of(Annotated[int, msgspec.Meta(examples=[1, object()])])
    assert schema is not None
    assert schema["examples"] == [1, "object"]
