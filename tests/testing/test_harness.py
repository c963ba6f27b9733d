"""Handlers without sockets, as the author of a plugin calls them."""

from __future__ import annotations

import pytest

from commscaffoldd.client import ErrorReply
from commscaffoldd.plugin.errors import PluginErrors
from tests.testing.conftest import Load


def test_bytes_come_and_go(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def echo(request):
            return request.body

        @handler(2)
        def swallow(request):
            pass
    """)

    assert plugin.call(1, b"hello") == b"hello"
    assert plugin.call(2, bytearray(b"hello")) is None


def test_typed_bodies_are_encoded_and_replies_decoded(load: Load) -> None:
    plugin = load("""
        @handler(1, format="json")
        def greet(request, body: Hello) -> Reply:
            return Reply(f"hello, {body.name}")
    """)
    hello = plugin.host.handlers[1].signature.arguments[0].type

    exchange = plugin.begin(1, hello("ann"))

    assert exchange.bodies == [b'{"text":"hello, ann"}']
    assert exchange.result().text == "hello, ann"
    assert plugin.call(1, b'{"name": "bob"}').text == "hello, bob"


def test_a_body_that_does_not_fit_is_error_2(load: Load) -> None:
    plugin = load("""
        @handler(1, format="json")
        def greet(request, body: Hello) -> Reply: ...
    """)

    with pytest.raises(ErrorReply, match="name") as refused:
        plugin.call(1, b"{}")

    assert (refused.value.code, refused.value.id) == (2, 1)


def test_a_value_for_a_raw_handler_is_a_mistake_of_the_test(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def echo(request): ...
    """)

    with pytest.raises(TypeError, match="the handler of message ID 1 has no parameter `body` with a type"):
        plugin.call(1, "hello")


def test_an_unknown_id_is_error_1(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def echo(request): ...
    """)

    with pytest.raises(ErrorReply, match=r"error 1 .*no handler for message ID 2"):
        plugin.call(2)


def test_a_refusal_is_raised_as_a_client_sees_it(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def closed(request):
            raise Refuse(1234, "come back tomorrow")
    """)

    exchange = plugin.begin(1)

    assert exchange.error is not None
    assert (exchange.error.code, exchange.error.text) == (1234, "come back tomorrow")
    with pytest.raises(ErrorReply, match="come back tomorrow"):
        exchange.result()


def test_what_a_handler_raises_comes_out_as_it_is(load: Load) -> None:
    plugin = load("""
        @handler(1)
        def broken(request):
            return {}["key"]

        @handler(2)
        def wrong(request):
            return 5
    """)

    with pytest.raises(KeyError, match="key"):
        plugin.call(1)
    with pytest.raises(TypeError, match="wrong returned int; expected bytes"):
        plugin.call(2)


def test_a_layout_without_error_replies_gives_none(load: Load) -> None:
    plugin = load(
        """
        @handler(1)
        def closed(request):
            raise Refuse(1000, "no")
        """,
        config={"listen": [{"layout": "compact"}]},
    )

    assert plugin.connection.layout == "compact"
    assert plugin.call(1) is None


def test_hooks_of_the_worker(load: Load) -> None:
    plugin = load("""
        @hookimpl
        def worker_stopping(worker):
            raise ZeroDivisionError(f"worker {worker.number}")
    """)

    with pytest.raises(ZeroDivisionError, match="worker 1"):
        plugin.stop()


def test_a_start_that_fails_is_told_as_the_daemon_tells_it(load: Load) -> None:
    with pytest.raises(PluginErrors, match="worker_started failed: OSError: no database"):
        load("""
            @hookimpl
            def worker_started(worker):
                raise OSError("no database")
        """)
