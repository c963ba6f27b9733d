"""What fails in a worker under test fails the test."""

from __future__ import annotations

from tests.testing.conftest import GREET, TEST_GREET, Author


def test_a_handler_that_fails_fails_the_test_and_its_lines_are_shown(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write(
        "plugins/greet/test_greet.py",
        """\
        import pytest
        from commscaffoldd.client import ErrorReply

        def test_broken(server):
            with pytest.raises(ErrorReply, match="handler failed"):
                server.client().call(1002)
        """,
    )

    result = author.run()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "while the test ran, the server logged 1 error(s):",
            "handler broken of plugin greet failed: message ID 1002 from 127.0.0.1:*: ZeroDivisionError: *",
            '*greet/__init__.py", line 9, in broken',
            "    return 1 // 0",
        ]
    )
    result.stdout.no_fnmatch_line("*core/handling.py*")


def test_a_failure_can_be_expected_and_each_one_counts(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write(
        "plugins/greet/test_greet.py",
        """\
        import pytest
        from commscaffoldd.client import ErrorReply

        def test_broken(server):
            client = server.client()
            for _ in range(3):
                with server.errors.expect(ZeroDivisionError, match="message ID 1002") as expected:
                    client.send(1002)
            assert isinstance(expected.value, ZeroDivisionError)

        def test_well(server):
            with pytest.raises(AssertionError, match="no handler or hook has failed with ValueError"):
                with server.errors.expect(ValueError, timeout=0.01):
                    server.client().call(1001)
        """,
    )

    author.run().assert_outcomes(passed=2)


def test_a_hook_that_fails_fails_the_test(author: Author) -> None:
    author.write(
        "plugins/greet/__init__.py",
        """\
        from commscaffoldd import hookimpl

        @hookimpl
        def connection_closed(connection):
            raise KeyError("room")
        """,
    )
    author.write(
        "plugins/greet/test_greet.py",
        """\
        def test_leave(server):
            server.frame_client().call(0)
        """,
    )

    result = author.run()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["plugin greet: hook connection_closed failed", "KeyError: 'room'"])


def test_what_a_plugin_logs_itself_is_its_own_business(author: Author) -> None:
    author.write(
        "plugins/greet/__init__.py",
        """\
        import logging
        from commscaffoldd import handler

        @handler(1001)
        def greet(request):
            logging.getLogger("commscaffoldd.plugin.greet").error("the database is away")
            return b""
        """,
    )
    author.write("plugins/greet/test_greet.py", TEST_GREET.replace('b"hello, world"', 'b""'))

    author.run().assert_outcomes(passed=1)


def test_failures_of_asynchronous_handlers_and_of_timers_count_too(author: Author) -> None:
    author.write(
        "plugins/greet/__init__.py",
        """\
        from commscaffoldd import every, handler

        left = [1]

        @handler(1001)
        async def broken(request):
            raise KeyError("async")

        @every(0.01)
        def tick():
            if left:
                raise KeyError(left.pop())
        """,
    )
    author.write(
        "plugins/greet/test_greet.py",
        """\
        def test_both(server):
            with server.errors.expect(KeyError, match="timer tick"):
                pass
            with server.errors.expect(KeyError, match="handler broken"):
                server.client().send(1001)
        """,
    )

    author.run().assert_outcomes(passed=1)
