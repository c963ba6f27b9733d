"""Plugins with typed messages, loaded as a worker loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from commscaffoldd.core.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from commscaffoldd.plugin.host import PluginHost
    from tests.plugin.conftest import Workshop

    Call = Callable[[PluginHost, int, bytes], object]

LOGIN = """
from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from commscaffoldd import handler, hookimpl

if TYPE_CHECKING:
    from commscaffoldd import Request

json_handler = functools.partial(handler, format="json")


class Login(msgspec.Struct):
    name: str


class Reply(msgspec.Struct):
    greeting: str


class Account:
    @handler(5)
    @json_handler(6)
    def login(self, request: Request, body: Login) -> Reply:
        return Reply(f"hello, {body.name}")

    @handler(7)
    def raw(self, request: Request) -> bytes:
        return request.body


@hookimpl
def create_plugin():
    return Account()
"""


def test_values_in_and_out(shop: Workshop, call: Call) -> None:
    shop.write("account.py", LOGIN)

    host = shop.load()

    assert call(host, 5, msgspec.msgpack.encode({"name": "ann"})) == msgspec.msgpack.encode(
        {"greeting": "hello, ann"}
    )
    assert call(host, 6, b'{"name": "ann"}') == b'{"greeting":"hello, ann"}'
    assert call(host, 6, b'{"name": 5}') == Refusal(2, "body.name: Expected `str`, got `int`")
    assert call(host, 7, b"as before") == b"as before"
    assert [(one.id, one.name) for one in host.routes.values()] == [
        (5, "Account.login"),
        (6, "Account.login"),
        (7, "Account.raw"),
    ]


def test_types_in_a_module_of_their_own(shop: Workshop, call: Call) -> None:
    shop.write("game/__init__.py", "from . import moves")
    shop.write(
        "game/types.py", "import msgspec\nclass Move(msgspec.Struct):\n    row: int\n    then: 'Move | None' = None\n"
    )
    shop.write(
        "game/moves.py",
        """
        from __future__ import annotations
        from commscaffoldd import handler
        from .types import Move

        @handler(5)
        def move(request, body: Move) -> int:
            return body.row
        """,
    )

    assert call(shop.load(), 5, msgspec.msgpack.encode({"row": 3, "then": {"row": 4}})) == b"\x03"


HEAD = """
from __future__ import annotations
from typing import TYPE_CHECKING
import msgspec
from commscaffoldd import Connection, codec, handler, hookimpl
if TYPE_CHECKING:
    from decimal import Decimal
class Board: ...
class Move(msgspec.Struct):
    board: list[Board]
"""


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            "@handler(5)\n@handler(6)\ndef f(request, body: Decimal) -> Move: ...",
            [
                (
                    "bad.py:10: handler f of message ID 5, 6: parameter body: Decimal cannot be resolved: name "
                    "'Decimal' is not defined (what is imported only `if TYPE_CHECKING:` is not there when the "
                    "daemon runs)"
                ),
                (
                    "bad.py:10: handler f of message ID 5, 6: the reply's annotation: there is no codec for Board "
                    "(in Move): make it a msgspec.Struct, mark it with @codec, or write Annotated[Board, A_CODEC]"
                ),
            ],
        ),
        (
            "@handler(5)\ndef f(request, board: Board): ...",
            [
                (
                    "bad.py:10: handler f of message ID 5: parameter board: Board is given to no handler (there are: "
                    "Connection, WorkerInfo; the message's body is given to a parameter named body)"
                )
            ],
        ),
        (
            "@handler(5, inline=True)\nasync def f(request): ...",
            [
                (
                    "bad.py:10: handler f of message ID 5: is an async function, and inline: an inline handler is a "
                    "plain def, since all clients wait for it"
                )
            ],
        ),
        (
            "@handler(5, format='xml')\ndef f(request): ...",
            [
                (
                    "bad.py:10: cannot be imported: ValueError: handler(5, format='xml'): a format is 'msgpack' or "
                    "'json'"
                )
            ],
        ),
        (
            "@codec\nclass Half:\n    def encode(self): ...",
            [("bad.py:10: cannot be imported: TypeError: Half has no method decode: a codec has encode and decode")],
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(shop: Workshop, text: str, errors: list[str]) -> None:
    shop.write("bad.py", HEAD + text)

    assert shop.errors() == [f"plugin bad: {error}" for error in errors]


def test_generated_classes_without_protobuf_say_what_to_install(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "google"]:
        monkeypatch.delitem(sys.modules, name)
    real: Any = __import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("google"):
            raise ModuleNotFoundError("No module named 'google'", name="google")
        return real(name, *more)

    monkeypatch.setattr("builtins.__import__", without)
    shop.write("game.py", "from google.protobuf import descriptor\n")

    (error,) = shop.errors()

    assert error.endswith("(protobuf messages need one more package: pip install 'commscaffoldd[protobuf]')")
