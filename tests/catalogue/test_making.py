"""From facts about handlers to a catalogue."""

from __future__ import annotations

from commscaffoldd.catalogue import wire_types as wire
from commscaffoldd.catalogue.making import BodyFacts, HandlerFacts
from tests.catalogue import bodies
from tests.catalogue.sample import facts, sample


def test_messages_by_id_with_the_types_of_their_bodies() -> None:
    catalogue = sample(handlers=[facts(9, "Greeter.greet", bodies.Greeting, ...), facts(2, "shout", str, list[int])])
    shout, greet = catalogue.messages
    assert (shout.id, shout.body.format, shout.body.type) == (2, "str", wire.Text())
    assert shout.reply is not None
    assert (shout.reply.format, shout.reply.name) == ("msgpack", "list[int]")
    assert (greet.name, greet.body.type, greet.body.name) == ("greet", wire.Reference("Greeting"), "Greeting")
    assert greet.reply is None
    assert catalogue.type_named("Greeting").doc == "What to say, and how often."


def test_a_format_whose_inside_is_not_known_has_a_name_alone() -> None:
    handler = HandlerFacts(1, "draw", "shapes", body=BodyFacts("protobuf", bodies.Point))
    (message,) = sample(handlers=[handler]).messages
    assert (message.body.format, message.body.type, message.body.name) == ("protobuf", None, "Point")


def test_a_layout_that_two_listeners_speak_is_there_once() -> None:
    standard = sample().layout("standard")
    layouts = sample().layouts
    assert [one.name for one in layouts] == ["standard", "compact", "mine", "erlang"]
    assert standard.field("sequence") is not None
    assert sample().layout("erlang").field("sequence") is None
