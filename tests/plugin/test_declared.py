"""Settings that a plugin declares as a Struct, and everything that can be wrong with what is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commscaffoldd.plugin.host import WorkerInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from commscaffoldd.plugin.host import PluginHost
    from tests.plugin.conftest import Workshop

    Call = Callable[[PluginHost, int, bytes], object]

SETTINGS = """
from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from commscaffoldd import handler, hookimpl


class Limits(msgspec.Struct, frozen=True):
    rooms: Annotated[int, msgspec.Meta(ge=1)] = 10


class Settings(msgspec.Struct, rename="kebab"):
    greeting: Annotated[str, msgspec.Meta(min_length=1, description="what everybody is told")]
    max_text: Annotated[int, msgspec.Meta(ge=1, le=100, description="characters")] = 50
    colour: Literal["red", "green"] = "red"
    limits: Limits = Limits()
    peers: list[Annotated[str, msgspec.Meta(pattern="^[a-z]+$")]] = []
    until: float | None = None

    def __post_init__(self):
        if self.greeting == "bye":
            raise ValueError("greeting = 'bye': that is no greeting")
"""

GREET = (
    SETTINGS
    + """
class Greet:
    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def worker_started(self, settings: Settings) -> None:
        assert settings is self.settings

    @hookimpl
    def worker_stopping(self) -> None: ...

    @hookimpl
    def self_test(self, settings: Mapping[str, Any]) -> None:
        assert settings == {"greeting": "hello", "limits": {"rooms": 3}}

    @handler(1)
    def greet(self, request, body: str, own: Settings) -> str:
        return f"{own.greeting}, {body}: {own.max_text} {self.settings.limits.rooms}"


@hookimpl
def create_plugin(settings: Settings) -> Greet:
    return Greet(settings)
"""
)


def test_hooks_and_handlers_are_given_what_is_declared(shop: Workshop, call: Call) -> None:
    shop.write("greet.py", GREET)

    host = shop.load(settings={"greet": {"greeting": "hello", "limits": {"rooms": 3}}})
    host.self_test()
    host.worker_started(WorkerInfo(1, 4711))

    assert call(host, 1, b"ann") == b"hello, ann: 50 3"


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        (
            {},
            [
                (
                    "plugin.greet: greeting is missing; allowed: a string of at least 1 characters (what everybody "
                    "is told)"
                )
            ],
        ),
        (
            {"greting": "hello", "max-text": 0, "colour": "grean"},
            [
                'plugin.greet.greting: unknown key; did you mean "greeting"?',
                (
                    "plugin.greet: greeting is missing; allowed: a string of at least 1 characters (what everybody "
                    "is told)"
                ),
                "plugin.greet.max-text: found 0; allowed: an integer from 1 to 100 (characters)",
                'plugin.greet.colour: found "grean"; allowed: "green" or "red"; did you mean "green"?',
            ],
        ),
        (
            {"greeting": "hello", "limits": {"rooms": 0, "zzz": 1}, "peers": ["ann", "B", 5]},
            [
                "plugin.greet.limits.zzz: unknown key; allowed: rooms",
                "plugin.greet.limits.rooms: found 0; allowed: an integer at least 1",
                'plugin.greet.peers[1]: found "B"; allowed: a string that matches ^[a-z]+$',
                "plugin.greet.peers[2]: found 5; allowed: a string that matches ^[a-z]+$",
            ],
        ),
        (
            {"greeting": ["hello"], "limits": 5, "peers": "ann", "until": "now"},
            [
                (
                    "plugin.greet.greeting: found an array; allowed: a string of at least 1 characters (what "
                    "everybody is told)"
                ),
                "plugin.greet.limits: found 5; allowed: a table",
                'plugin.greet.peers: found "ann"; allowed: an array, each element a string that matches ^[a-z]+$',
                'plugin.greet.until: found "now"; allowed: a number',
            ],
        ),
        ({"greeting": "bye"}, ["plugin.greet: greeting = 'bye': that is no greeting"]),
    ],
)
def test_every_mistake_at_its_key_with_what_was_found_and_what_is_allowed(
    shop: Workshop, settings: dict[str, Any], problems: list[str]
) -> None:
    shop.write("greet.py", GREET)

    assert shop.errors(greet=settings) == [f"plugin greet: {problem}" for problem in problems]


def test_a_handler_alone_can_declare_them(shop: Workshop, call: Call) -> None:
    shop.write(
        "greet.py",
        SETTINGS + "@handler(1)\ndef greet(request, settings: Settings) -> str:\n    return settings.greeting",
    )

    assert call(shop.load(settings={"greet": {"greeting": "hello"}}), 1, b"") == b"hello"
    assert len(shop.errors()) == 1


def test_two_plugins_have_their_own(shop: Workshop, call: Call) -> None:
    for name, number in (("one", 1), ("two", 2)):
        shop.write(
            f"{name}.py",
            SETTINGS
            + f"@handler({number})\ndef greet(request, settings: Settings) -> str:\n    return settings.greeting",
        )

    host = shop.load(settings={"one": {"greeting": "first"}, "two": {"greeting": "second"}})

    assert (call(host, 1, b""), call(host, 2, b"")) == (b"first", b"second")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "@hookimpl\ndef create_plugin(settings: int): ...",
            (
                "create_plugin: parameter settings: int is no msgspec.Struct: declare the settings as one, or take "
                "the table as it is: settings: Mapping[str, Any]"
            ),
        ),
        (
            "@hookimpl\ndef create_plugin(settings: Setings): ...",
            (
                "create_plugin: parameter settings: Setings cannot be resolved: name 'Setings' is not defined (what "
                "is imported only `if TYPE_CHECKING:` is not there when the daemon runs)"
            ),
        ),
        (
            "class Odd(msgspec.Struct):\n    what: Nothing\n@hookimpl\ndef create_plugin(settings: Odd): ...",
            "create_plugin: parameter settings: Odd: NameError: name 'Nothing' is not defined",
        ),
        (
            (
                "@hookimpl\ndef worker_stopping(): ...\n@handler(1)\ndef greet(request, settings: Limits): ...\n"
                "@hookimpl\ndef create_plugin(settings: Settings): ..."
            ),
            (
                "create_plugin: parameter settings: Settings, but in greet (greet.py:PLACE) it is Limits: a plugin "
                "has one type of settings"
            ),
        ),
    ],
)
def test_declarations_that_cannot_work(shop: Workshop, text: str, error: str) -> None:
    shop.write("greet.py", SETTINGS + text)
    lines = (SETTINGS + text).lstrip().splitlines()
    line = max(number for number, one in enumerate(lines) if one.startswith("@hookimpl")) + 1
    place = next((str(number) for number, one in enumerate(lines, 1) if one.startswith("@handler")), "")

    assert shop.errors() == [f"plugin greet: greet.py:{line}: {error.replace('PLACE', place)}"]


def test_a_table_taken_as_it_is(shop: Workshop) -> None:
    shop.write(
        "greet.py",
        SETTINGS
        + "@hookimpl\ndef self_test(settings: Mapping[str, Any]) -> None:\n    assert settings == {'a': 1}\n"
        + "@hookimpl\ndef worker_started(settings) -> None:\n    assert settings == {'a': 1}\n",
    )

    host = shop.load(settings={"greet": {"a": 1}})
    host.self_test()
    host.worker_started(WorkerInfo(1, 4711))


SHAPES = """
from __future__ import annotations

import msgspec

from commscaffoldd import hookimpl


class File(msgspec.Struct, tag="file"):
    path: str


class Net(msgspec.Struct, tag="net"):
    port: int

    def __post_init__(self):
        1 // self.port


class Settings(msgspec.Struct):
    store: File | Net | None = None
    file: File | None = None
    next: Settings | None = None


@hookimpl
def create_plugin(settings: Settings | None): ...
"""


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"store": {"path": "x"}}, 'plugin.a.store: type is missing; allowed: "file" or "net"'),
        ({"store": {"type": "x"}}, 'plugin.a.store.type: found "x"; allowed: "file" or "net"'),
        ({"store": {"type": [5]}}, 'plugin.a.store.type: found an array; allowed: "file" or "net"'),
        ({"store": {"type": "net", "port": "x"}}, 'plugin.a.store.port: found "x"; allowed: an integer'),
        ({"next": {"next": {"next": 5}}}, "plugin.a.next.next.next: found 5; allowed: a table"),
        (
            {"store": {"type": "net", "port": 0}},
            (
                "plugin.a.store: the plugin's own check of it failed: ZeroDivisionError: integer division or modulo "
                "by zero"
            ),
        ),
    ],
)
def test_tagged_and_nested_tables(shop: Workshop, settings: dict[str, Any], problem: str) -> None:
    shop.write("a.py", SHAPES)
    assert shop.errors(a=settings) == [f"plugin a: {problem}"]


def test_a_tag_is_no_unknown_key(shop: Workshop) -> None:
    shop.write("a.py", SHAPES)
    shop.load(settings={"a": {"store": {"type": "file", "path": "x"}, "file": {"type": "file", "path": "y"}}})
