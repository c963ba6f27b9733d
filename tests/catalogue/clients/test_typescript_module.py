"""The generated TypeScript: it compiles with every check that the compiler has, whatever the names in it."""

from __future__ import annotations

import re

import pytest

from commscaffoldd.catalogue.clients.choice import choose
from commscaffoldd.catalogue.clients.typescript_module import typescript_client
from commscaffoldd.catalogue.clients.typescript_types import comment, literal
from commscaffoldd.core.layout import PRESETS
from tests.catalogue.clients.hostile import HANDLERS as HOSTILE
from tests.catalogue.sample import MINE, sample
from tests.typescript_tools import compiled, needs_typescript


@needs_typescript
@pytest.mark.timeout(120)  # the compiler, on a busy machine
def test_it_compiles() -> None:
    catalogues = {
        "standard": sample(),
        "mine": sample([MINE]),
        "hostile": sample(handlers=HOSTILE),
        "nothing": sample(handlers=()),
        "erlang": sample([PRESETS["erlang"]]),
        "unix": sample([PRESETS["compact"]], addresses=["unix:/run/here.sock"]),
    }
    compiled({f"{name}.ts": typescript_client(choose(catalogue)) for name, catalogue in catalogues.items()})


def test_types_that_nothing_needs_are_left_out() -> None:
    assert "Everything" not in typescript_client(choose(sample([PRESETS["erlang"]])))


def test_the_same_catalogue_gives_the_same_text() -> None:
    assert typescript_client(choose(sample())) == typescript_client(choose(sample()))


@pytest.mark.parametrize(
    ("address", "constants"),
    [
        ("127.0.0.1:9000", ('"127.0.0.1"', "9000", "undefined")),
        ("0.0.0.0:9000", ('"127.0.0.1"', "9000", "undefined")),
        ("[::]:9000", ('"::1"', "9000", "undefined")),
        ("unix:/run/x.sock", ("undefined", "undefined", '"/run/x.sock"')),
        ("systemd:game", ("undefined", "undefined", "undefined")),
    ],
)
def test_it_connects_where_the_daemon_listens(address: str, constants: tuple[str, str, str]) -> None:
    text = typescript_client(choose(sample([PRESETS["standard"]], addresses=[address])))
    found = [re.search(f"DEFAULT_{name} = (.+) as", text) for name in ("HOST", "PORT", "PATH")]
    assert tuple(one and one[1] for one in found) == constants


def test_a_method_that_would_break_the_class_gets_another_name() -> None:
    text = typescript_client(choose(sample(handlers=HOSTILE)))
    text = text.partition("export class SampleClient")[2]
    methods = re.findall(r"^  (?:async )?(\w+)\(body", text, re.MULTILINE)
    assert methods == [
        "class",
        "delete",
        "constructor_3",
        "client",
        "call_5",
        "call_6",
        "close_7",
        "lambda",
        "private",
    ]


def test_whole_numbers_that_a_number_cannot_hold_are_bigints() -> None:
    assert (literal(2**53 - 1), literal(2**53), literal('a\u2028"')) == (
        "9007199254740991",
        "9007199254740992n",
        '"a\\u2028\\""',
    )


def test_a_comment_ends_where_it_should() -> None:
    assert comment("a */ b") == "/** a *\\/ b */\n"
    assert comment("a\n\n*/\x00") == "/**\n * a\n *\n * *\\/\N{REPLACEMENT CHARACTER}\n */\n"
    assert comment("  \n ") == ""
