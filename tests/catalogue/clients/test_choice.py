"""What one generated client speaks."""

from __future__ import annotations

import msgspec

from commscaffoldd.catalogue.clients.choice import method_names
from commscaffoldd.catalogue.model import Message
from commscaffoldd.catalogue.naming import camel
from tests.catalogue.sample import sample


def of(plugin: str, name: str, message_id: int) -> Message:
    first = sample().messages[0]
    return msgspec.structs.replace(first, plugin=plugin, name=name, id=message_id)


def test_two_plugins_with_a_handler_of_the_same_name_are_told_apart_by_their_names() -> None:
    messages = (of("hello", "greet", 1001), of("lobby", "greet", 1101), of("lobby", "join", 1102))
    assert method_names(messages, camel, frozenset()) == ["helloGreet", "lobbyGreet", "join"]


def test_one_plugin_with_two_has_their_message_ids() -> None:
    messages = (of("hello", "greet", 1001), of("hello", "greet", 1002))
    assert method_names(messages, camel, frozenset()) == ["greet_1001", "greet_1002"]
