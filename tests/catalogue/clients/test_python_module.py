"""The generated Python module: right Python, with the right types, whose bodies are what the plugins expect."""

from __future__ import annotations

import datetime as dt
import decimal
import importlib.util
import subprocess
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from commscaffoldd.catalogue.clients.choice import NoListener, choose
from commscaffoldd.catalogue.clients.python_module import python_client
from commscaffoldd.catalogue.model import Catalogue
from commscaffoldd.core.layout import PRESETS
from tests.catalogue import bodies
from tests.catalogue.clients.hostile import HANDLERS as HOSTILE
from tests.catalogue.sample import MINE, sample

EVERYTHING = bodies.Everything(
    flag=True,
    count=-5,
    small=127,
    large=2**64 - 1,
    ratio=0.25,
    text="tëxt",
    data=b"\x00\xff",
    when=dt.datetime(2026, 1, 31, 12, 30),  # noqa: DTZ001  # one without a zone
    zoned=dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC),
    local=dt.datetime(2026, 1, 31, 12, 30),  # noqa: DTZ001
    day=dt.date(2026, 1, 31),
    span=dt.timedelta(seconds=90),
    key=uuid.UUID(int=7),
    price=decimal.Decimal("19.99"),
    colour=bodies.Colour.NOT_RED,
    by_number={3: "three"},
    shape=bodies.Rect(bodies.Point(1, 2), (3.0, 4.0)),
    spot=bodies.Spot(4, 5),
    options={"deep": True},
    person=bodies.Person("Ann"),
    tree=bodies.Tree(1, [bodies.Tree(2)]),
    class_="first",
)


def load(catalogue: Catalogue, folder: Path, name: str = "generated") -> ModuleType:
    file = folder / f"{name}.py"
    file.write_text(python_client(choose(catalogue)))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # msgspec looks there for annotations
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


class Answering:
    """A client that answers each message with its own body."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def call(self, message_id: int, body: bytes, *, timeout: float | None) -> bytes:
        self.sent.append((message_id, body))
        return body

    def send(self, message_id: int, body: bytes, *, timeout: float | None) -> None:
        self.sent.append((message_id, body))


@pytest.mark.parametrize("form", ["msgpack", "json"])
def test_bodies_are_those_of_the_plugins_types_both_ways(tmp_path: Path, form: str) -> None:
    module, answering = load(sample(), tmp_path, f"both_{form}"), Answering()
    client = module.SampleClient(answering)
    coder: Any = getattr(msgspec, form)
    data = coder.encode(EVERYTHING)
    mine = coder.decode(data, type=module.Everything)
    method = client.everything if form == "msgpack" else client.everything_json
    assert method(mine) == mine
    ((_, sent),) = answering.sent
    assert coder.decode(sent, type=bodies.Everything) == EVERYTHING


def test_defaults_are_the_other_sides(tmp_path: Path) -> None:
    module = load(sample(), tmp_path, "defaults")
    greeting = msgspec.msgpack.encode(module.Greeting("Ann"))
    assert msgspec.msgpack.decode(greeting, type=bodies.Greeting) == bodies.Greeting("Ann", 1)
    options = msgspec.msgpack.encode(module.Options(deep=True))
    assert msgspec.msgpack.decode(options, type=bodies.Options) == {"deep": True}


def test_messages_without_a_reply_are_sent_and_not_waited_for(tmp_path: Path) -> None:
    module, answering = load(sample(), tmp_path, "sending"), Answering()
    assert module.SampleClient(answering).forget(module.Point(1, 2)) is None
    assert answering.sent == [(15, b"\x93\x01\x02\xa0")]


def test_a_layout_of_ones_own_comes_with_the_module(tmp_path: Path) -> None:
    module = load(sample([MINE]), tmp_path, "own_layout")
    assert module.LAYOUT.encode(7, 9, b"body") == MINE.encode(7, 9, b"body")
    assert load(sample([PRESETS["compact"]]), tmp_path, "preset").LAYOUT is PRESETS["compact"]


def test_only_messages_that_the_layout_can_send_have_a_method(tmp_path: Path) -> None:
    module = load(sample([PRESETS["erlang"]]), tmp_path, "no_ids")
    methods = [name for name in vars(module.SampleClient) if not name.startswith("_")]
    assert methods == ["echo"]


def test_the_listener_is_chosen_by_its_address() -> None:
    assert choose(sample(), "127.0.0.1:9001").layout.name == "compact"
    with pytest.raises(NoListener, match=r"no listener 10\.0\.0\.1:1; there are: 127\.0\.0\.1:9000, "):
        choose(sample(), "10.0.0.1:1")


def test_hostile_names_become_names_and_stay_the_same_on_the_wire(tmp_path: Path) -> None:
    module, answering = load(sample(handlers=HOSTILE), tmp_path, "hostile"), Answering()
    methods = [name for name in vars(module.SampleClient) if not name.startswith("__")]
    assert methods == [
        "class_1",
        "delete",
        "constructor",
        "client_4",
        "call_5",
        "call_6",
        "close",
        "lambda_8",
        "private",
    ]
    kind = module.Hostile
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    assert sorted(names.values()) == sorted(
        ["class", "with space", "__proto__", "constructor", "1st", "quote's `", "str", "self", "same", "same ", ""]
    )
    value = kind(**{name: "" if name in {"str_", "self"} else 1 for name in names})
    assert module.SampleClient(answering).class_1(value) == value


def test_it_is_formatted_and_its_types_are_right(tmp_path: Path) -> None:
    sources = {
        "of_standard": sample([PRESETS["standard"]]),
        "of_mine": sample([MINE]),
        "hostile_names": sample([PRESETS["standard"]], HOSTILE),
        "no_messages": sample([PRESETS["standard"]], ()),
    }
    files = [tmp_path / f"{name}.py" for name in sources]
    for file, catalogue in zip(files, sources.values(), strict=True):
        file.write_text(python_client(choose(catalogue)))
    for words in (
        ["ruff", "format", "--isolated", "--check", "--diff", "--no-cache"],
        ["ruff", "check", "--isolated", "--no-cache", "--select", "F,E9,W,B,UP"],
        ["mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")],
    ):
        line = [str(Path(sys.executable).with_name(words[0])), *words[1:], *map(str, files)]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=55)
        assert done.returncode == 0, done.stdout + done.stderr
