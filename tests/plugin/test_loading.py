"""What is wrong with a plugin that can be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Workshop

HEAD = "from commscaffoldd.plugin.api import handler, hookimpl\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "@handler(5)\ndef f(): ...",
            "2: handler f of message ID 5: its parameters are (): the first one must take the request",
        ),
        (
            "@handler(5)\n@handler(6)\ndef f(request: int, more: str) -> bytes: ...",
            (
                "2: handler f of message ID 5, 6: parameter more: str is given to no handler (there are: Connection, "
                "WorkerInfo; the message's body is given to a parameter named body)"
            ),
        ),
        (
            "@handler(5, inline=True)\nasync def f(request): ...",
            (
                "2: handler f of message ID 5: is an async function, and inline: an inline handler is a plain def, "
                "since all clients wait for it"
            ),
        ),
        (
            "@handler(5, cancel_on_close=True)\ndef f(request): ...",
            (
                "2: handler f of message ID 5: has cancel_on_close, and is not async: only what waits with await can "
                "be cancelled"
            ),
        ),
        (
            "@handler(5, inline=True)\ndef f(request): yield b''",
            (
                "2: handler f of message ID 5: is a generator (it contains yield), and inline: an inline handler is "
                "a plain def, since all clients wait for it"
            ),
        ),
        (
            "class A:\n    @handler(5)\n    def f(request): ...\n@hookimpl\ndef create_plugin(): return A()",
            "3: handler A.f of message ID 5: its parameters are (): the first one must take the request",
        ),
        (
            "@hookimpl\ndef conection_closed(connection): ...",
            (
                "2: conection_closed: there is no hook 'conection_closed': did you mean 'connection_closed'? "
                "(there are: connection_adopted, connection_closed, connection_handing_over, connection_opened, "
                "create_plugin, self_test, worker_started, "
                "worker_stopping)"
            ),
        ),
        (
            "@hookimpl\ndef connection_closed(conn, reason): ...",
            (
                "2: hook connection_closed(conn, reason) may take these arguments, all or some, by these names: "
                "connection, reason; parameter conn has no annotation that says what it is given"
            ),
        ),
        (
            "@hookimpl\nasync def connection_opened(connection): ...",
            "2: hook connection_opened is an async function, which is not supported: use a plain def",
        ),
        (
            "@hookimpl(wrapper=True)\ndef connection_opened(connection): yield",
            "2: connection_opened: hook wrappers are not supported; leave out wrapper=True",
        ),
        (
            "def connection_opened(connection): ...",
            "2: connection_opened has the name of a hook, but no @hookimpl above it: add that, or rename it",
        ),
        (
            "import functools\nconnection_opened = hookimpl(functools.partial(print))",
            "hook connection_opened is a partial: make it a function",
        ),
        (
            "x = 1",
            (
                "has no @handler, @hookimpl, @middleware or @every; if it is not a plugin, let its name start with "
                "_ (in a package those modules count that its __init__.py imports)"
            ),
        ),
        (
            "class A:\n    @handler(5)\n    def f(self, request): ...",
            (
                "3: A.f is marked, but never used: create_plugin must return an instance of A (in a module: "
                "@hookimpl, then def create_plugin(settings))"
            ),
        ),
        (
            "@hookimpl\ndef create_plugin(settings):\n    return settings['database']",
            "4: create_plugin failed: KeyError: 'database'",
        ),
        (
            "@hookimpl\ndef create_plugin():\n    raise SystemExit('no')",
            "4: create_plugin failed: called sys.exit('no'): a plugin must not end the process",
        ),
        (
            "@hookimpl\ndef create_plugin():\n    return {}",
            (
                "2: create_plugin returned a dict; it must return an object with @handler, @hookimpl, @middleware or "
                "@every methods, or None"
            ),
        ),
        (
            (
                "class A:\n    @hookimpl\n    def create_plugin(self): ...\n"
                "@hookimpl(specname='create_plugin')\ndef make(): return A()"
            ),
            "3: A.create_plugin: create_plugin is a function of the module, not a method",
        ),
        (
            "@hookimpl\ndef create_plugin(): ...\n@hookimpl(specname='create_plugin')\ndef make(): ...",
            "4: there is a second create_plugin: PLACE:2 is the first; a plugin has one",
        ),
    ],
)
def test_one_clear_error(shop: Workshop, text: str, error: str) -> None:
    shop.write("bad.py", HEAD + text)
    colon = ":" if error[0].isdigit() else ": "

    assert shop.errors() == [f"plugin bad: bad.py{colon}{error.replace('PLACE', 'bad.py')}"]


def test_every_mistake_in_one_plugin_is_listed(shop: Workshop) -> None:
    shop.write("bad.py", HEAD + "@handler(5)\ndef f(): ...\n@handler(6)\ndef g(): ...\n@hookimpl\ndef h(): ...\n")

    assert [error.split(": ")[1] for error in shop.errors()] == ["bad.py:2", "bad.py:4", "bad.py:6"]


def test_two_plugins_on_one_message_id(shop: Workshop) -> None:
    shop.write("a.py", HEAD + "@handler(5)\ndef login(request): ...\n")
    shop.write("b/__init__.py", HEAD + "@handler(5)\n@handler(6)\ndef start(request): ...\n")

    assert shop.errors() == [
        (
            "plugin b: b/__init__.py:2: message ID 5 is claimed by login of plugin a (a.py:2) and start of plugin b "
            "(b/__init__.py:2); an ID has one handler: change an ID, or disable a plugin"
        )
    ]


def test_objects_that_answer_to_everything_are_no_handlers(shop: Workshop) -> None:
    shop.write(
        "odd.py",
        HEAD + "from unittest import mock\nanything = mock.MagicMock()\n@handler(5)\ndef f(request): ...\n",
    )

    assert list(shop.load().routes) == [5]


def test_objects_that_are_all_equal_and_unhashable(shop: Workshop) -> None:
    text = (
        "import dataclasses\n" + HEAD + "@dataclasses.dataclass\nclass State:\n    @hookimpl\n"
        "    def worker_stopping(self): ...\n    def __eq__(self, other): return True\n    __hash__ = None\n"
        "@hookimpl\ndef create_plugin(): return State()\n"
    )
    shop.write("a.py", text)
    shop.write("b.py", text)

    assert shop.load().names == ("a", "b")


def test_a_typed_dict_in_a_plugin_is_a_class_like_any_other(shop: Workshop) -> None:
    shop.write(
        "options.py",
        """
        from typing import TypedDict
        from commscaffoldd import handler

        class Options(TypedDict):
            deep: bool

        @handler(1)
        def look(request, body: Options) -> Options:
            return body
        """,
    )
    assert list(shop.load().routes) == [1]
