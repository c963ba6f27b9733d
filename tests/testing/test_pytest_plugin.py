"""The fixtures as the author of a plugin uses them."""

from __future__ import annotations

import importlib.metadata

from tests.testing.conftest import GREET, TEST_GREET, Author


def test_the_plugin_is_found_by_its_entry_point() -> None:
    (found,) = {one.value for one in importlib.metadata.entry_points(group="pytest11", name="commscaffoldd")}
    assert found == "commscaffoldd.testing.pytest_plugin"


def test_a_handler_can_be_called_without_a_server(author: Author) -> None:
    author.write(
        "plugins/greet/__init__.py",
        """\
        from msgspec import Struct
        from commscaffoldd import handler, hookimpl

        class Greeting(Struct):
            name: str

        @handler(1001)
        def greet(request, body: Greeting) -> Greeting:
            request.connection.send(7, b"greeted")
            return Greeting(f"hello, {body.name}")

        @handler(1002, timeout=60)
        def later(request):
            request.defer()

        @hookimpl
        def worker_stopping():
            print("the worker has stopped")
        """,
    )
    author.write("plugins/greet/tests/__init__.py", "")
    author.write(
        "plugins/greet/tests/test_greet.py",
        """\
        from .. import Greeting

        def test_greet(plugin, connection):
            assert plugin.call(1001, Greeting("ann")) == Greeting("hello, ann")
            assert connection.sent == [(7, b"greeted")]

        def test_later(plugin, clock):
            exchange = plugin.begin(1002)
            clock.advance(61)
            assert exchange.error.code == 4
        """,
    )

    result = author.run("-s")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*the worker has stopped*"] * 2)


def test_it_imports_nothing_that_is_not_used(author: Author) -> None:
    author.write(
        "test_other.py",
        """\
        import sys

        def test_other():
            ours = [name for name in sys.modules if name.startswith("commscaffoldd.")]
            assert not [name for name in ours if name.split(".")[1] in ("worker", "config", "client", "log")]
            assert [name for name in ours if ".testing" in name] == [
                "commscaffoldd.testing", "commscaffoldd.testing.pytest_plugin"
            ]
        """,
    )
    done = author.run_process("-q")
    assert done.returncode == 0, done.stdout


def test_it_can_be_left_out(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write("plugins/greet/tests/test_greet.py", TEST_GREET)
    done = author.run_process("-q", "-p", "no:commscaffoldd")
    assert "fixture 'server' not found" in done.stdout


def test_clients_of_each_kind(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write(
        "plugins/greet/test_greet.py",
        """\
        import asyncio

        def test_async(server):
            async def call():
                async with server.async_client(timeout=3) as client:
                    return await client.call(1001, "ann", reply=str)

            assert asyncio.run(call()) == "hello, ann"

        def test_frames(server):
            client = server.frame_client()
            client.send(1001, b"ann", sequence=77)
            assert client.receive() == (1001, 77, b"hello, ann")

        def test_typed(server):
            assert server.client().call(1001, "ann", reply=str) == "hello, ann"
            assert server.until(lambda: server.connections)
        """,
    )

    author.run().assert_outcomes(passed=3)
