from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest

from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import PluginHost, WorkerInfo, load_plugins

if TYPE_CHECKING:
    from commscaffoldd.core.connection import Connection
    from tests.plugin.conftest import Workshop

    Call = Callable[[PluginHost, int, bytes], object]


class Client:
    """As much of a connection as the host looks at."""

    id = "3.17.2"

    def __init__(self) -> None:
        self.session: dict[str, object] = {}


def client() -> Connection:
    return cast("Connection", Client())


def test_routes_say_plugin_function_and_mode(shop: Workshop, call: Call) -> None:
    shop.write(
        "greet.py",
        """
        from commscaffoldd.plugin.api import handler

        @handler(1001)
        def greet(request):
            return b"hello, " + request.body

        @handler(1002, inline=True)
        @handler(1003, concurrent=True)
        def echo(request):
            return request.body
        """,
    )

    host = shop.load()

    assert host.names == ("greet",)
    assert [(r.id, r.plugin, r.name, r.mode) for r in host.routes.values()] == [
        (1001, "greet", "greet", "pool"),
        (1002, "greet", "echo", "inline"),
        (1003, "greet", "echo", "concurrent"),
    ]
    assert call(host, 1001, b"world") == b"hello, world"


def test_create_plugin_gives_state_without_globals(shop: Workshop, call: Call) -> None:
    shop.write(
        "count.py",
        """
        from commscaffoldd.plugin.api import handler, hookimpl

        class Count:
            def __init__(self, start):
                self.value = start

            @property
            def expensive(self):
                raise AssertionError("a property must not be evaluated")

            @handler(9)
            def next(self, request):
                self.value += 1
                return b"%d" % self.value

            @handler(10)
            @staticmethod
            def fixed(request):
                return b"fixed"

            @hookimpl
            @staticmethod
            def worker_stopping():
                pass

        @hookimpl
        def create_plugin(settings):
            return Count(settings.get("start", 0))
        """,
    )

    one, two = shop.load(settings={"count": {"start": 41}}), shop.load()

    assert call(one, 9, b"") == b"42"
    assert call(two, 9, b"") == b"1"
    assert call(one, 10, b"") == b"fixed"
    assert one.routes[9].name == "Count.next"


def test_a_function_imported_by_another_module_of_the_package_counts_once(shop: Workshop) -> None:
    shop.write("chat/__init__.py", "from .rooms import join, connection_opened")
    shop.write(
        "chat/rooms.py",
        """
        from commscaffoldd.plugin.api import handler, hookimpl

        @handler(20)
        def join(request): ...

        @hookimpl
        def connection_opened(connection):
            connection.session["calls"] = connection.session.get("calls", 0) + 1
        """,
    )

    host = shop.load()
    connection = client()
    assert host.connection_opened is not None
    host.connection_opened(connection)

    assert list(host.routes) == [20]
    assert connection.session == {"calls": 1}


def test_hooks_nobody_has_are_none(shop: Workshop) -> None:
    shop.write("a.py", "from commscaffoldd.plugin.api import handler\n@handler(1)\ndef f(request): ...\n")

    host = shop.load()

    assert host.connection_opened is None
    assert host.connection_closed is None
    host.self_test()
    host.worker_started(WorkerInfo(1, 4711))
    host.worker_stopping(WorkerInfo(1, 4711))


HOOKS = """
from commscaffoldd.plugin.api import hookimpl

@hookimpl{options}
def connection_closed({arguments}):
    {body}
"""


def test_hooks_take_the_arguments_they_want_in_the_order_of_names(shop: Workshop) -> None:
    note = "connection.session.setdefault('order', []).append({!r})"
    for name, options, arguments in [
        ("a", "", "connection"),
        ("b", "", "reason, connection"),
        ("c", "(tryfirst=True)", "*, connection"),
        ("d", "", "connection, extra=3"),
        ("e", "", "**all"),
    ]:
        body = ("connection = all['connection']; " if name == "e" else "") + note.format(name)
        shop.write(f"{name}.py", HOOKS.format(options=options, arguments=arguments, body=body))
    connection = client()

    closed = shop.load().connection_closed
    assert closed is not None
    closed(connection, "peer closed")

    assert connection.session["order"] == ["c", "a", "b", "d", "e"]


@pytest.mark.parametrize("failure", ["raise ValueError('oops')", "raise SystemExit(1)"])
def test_a_hook_that_raises_is_logged_and_does_not_stop_the_others(
    shop: Workshop, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    shop.write("a.py", HOOKS.format(options="", arguments="reason", body=failure))
    shop.write("b.py", HOOKS.format(options="", arguments="connection", body="connection.session['b'] = True"))
    connection = client()
    closed = shop.load().connection_closed
    assert closed is not None

    closed(connection, "peer closed")

    assert connection.session == {"b": True}
    (record,) = caplog.records
    assert record.name == "commscaffoldd.plugin.a"
    assert record.getMessage() == "plugin a: hook connection_closed failed"
    assert record.__dict__["connection"] == "3.17.2"
    assert record.exc_info is not None


def test_worker_hooks_get_the_worker_and_the_plugins_own_settings(shop: Workshop, call: Call) -> None:
    text = """
    from commscaffoldd.plugin.api import handler, hookimpl

    class Plugin:
        seen = b""
        @hookimpl
        def worker_started(self, worker, settings):
            self.seen = f"{worker.number} {worker.pid} {settings}".encode()
        @handler(ID)
        def show(self, request):
            return self.seen

    @hookimpl
    def create_plugin():
        return Plugin()
    """
    shop.write("a.py", text.replace("ID", "1"))
    shop.write("b.py", text.replace("ID", "2"))

    host = shop.load(settings={"a": {"x": 1}})
    host.worker_started(WorkerInfo(3, 4711))

    assert call(host, 1, b"") == b"3 4711 {'x': 1}"
    assert call(host, 2, b"") == b"3 4711 {}"


@pytest.mark.parametrize("hook", ["self_test", "worker_started"])
def test_failing_tests_and_starts_are_all_reported(shop: Workshop, hook: str) -> None:
    for name in ["a", "b"]:
        shop.write(
            f"{name}.py",
            f"""
            from commscaffoldd.plugin.api import hookimpl

            @hookimpl
            def {hook}():
                raise OSError("no database")
            """,
        )
    host = shop.load()

    with pytest.raises(PluginErrors) as caught:
        host.self_test() if hook == "self_test" else host.worker_started(WorkerInfo(1, 4711))

    assert shop.lines(caught.value) == [
        f"plugin a: a.py:5: {hook} failed: OSError: no database",
        f"plugin b: b.py:5: {hook} failed: OSError: no database",
    ]


def test_a_disabled_plugin_is_not_even_imported(shop: Workshop) -> None:
    shop.write("good.py", "from commscaffoldd.plugin.api import handler\n@handler(1)\ndef f(request): ...\n")
    shop.write("bad.py", "raise ValueError")

    assert shop.load(disabled=("bad",), settings={"bad": {"x": 1}}).names == ("good",)


def test_names_that_do_not_exist(shop: Workshop) -> None:
    shop.write("account.py", "from commscaffoldd.plugin.api import handler\n@handler(1)\ndef f(request): ...\n")
    shop.write("echo.py", "from commscaffoldd.plugin.api import handler\n@handler(2)\ndef f(request): ...\n")

    with pytest.raises(PluginErrors) as caught:
        load_plugins([shop.folder], ["zzz"], {"acount": {}})

    assert shop.lines(caught.value) == [
        "[plugin.acount]: there is no plugin of this name: did you mean 'account'? (there are: account, echo)",
        "plugins.disabled: 'zzz': there is no plugin of this name: there are: account, echo",
    ]


def test_everything_that_is_wrong_is_said_at_once(shop: Workshop) -> None:
    shop.write("a.py", "def f(:")
    shop.write("b.py", "import no_such_module")
    shop.write(
        "c.py",
        """
        from commscaffoldd.plugin.api import handler
        @handler(5)
        def one(request): ...
        """,
    )
    shop.write(
        "d.py",
        """
        from commscaffoldd.plugin.api import handler, hookimpl
        @handler(5)
        def two(request): ...
        @hookimpl
        def conection_closed(connection): ...
        """,
    )

    errors = shop.errors(nothing={})

    assert [error.split(":")[0] for error in errors] == [
        "[plugin.nothing]",
        "plugin a",
        "plugin b",
        "plugin d",
        "plugin d",
    ]
