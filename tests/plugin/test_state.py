"""What `worker_started` returns is given to whoever asks for it by annotation; what does not fit is an error."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.plugin.host import PluginHost, WorkerInfo
from tests.plugin.test_host import client

if TYPE_CHECKING:
    from tests.plugin.conftest import Workshop

HEAD = "from commscaffoldd import every, handler, hookimpl, middleware, WorkerInfo\nimport sqlite3, decimal\n"
POOL = HEAD + "class Pool:\n    used_by = ''\n\n"
WORKER = WorkerInfo(3, 4711)


def started(host: PluginHost) -> PluginHost:
    host.worker_started(WORKER, asyncio.run)
    return host


def test_hooks_timers_and_middleware_are_given_what_worker_started_returns(shop: Workshop) -> None:
    shop.write(
        "store.py",
        POOL
        + """
seen = []

@hookimpl
def worker_started(settings) -> Pool:
    pool = Pool()
    pool.name = settings["name"]
    return pool

@hookimpl
def connection_opened(connection, pool: Pool):
    connection.session["pool"] = pool.name

@hookimpl
def worker_stopping(*, pool: Pool, worker):
    seen.append((pool.name, worker.number))

@every(60)
def clean(pool: "Pool", settings, worker: WorkerInfo):
    return pool.name, settings, worker.pid

@middleware
def counted(request, pool: Pool, settings):
    reply = yield
    return f"{reply} {pool.name} {settings}"

@handler(1)
def get(request, pool: Pool, worker: WorkerInfo, body: bytes) -> str:
    return f"{seen} {pool.name} {worker.number} {body}"
""",
    )
    host = started(shop.load(settings={"store": {"name": "main"}}))
    connection = client()
    assert host.connection_opened is not None
    host.connection_opened(connection)
    assert connection.session == {"pool": "main"}
    (timer,) = host.timers
    assert timer() == ("main", {"name": "main"}, 4711)
    host.worker_stopping(WORKER)
    reply = host.routes[1].function(SimpleNamespace(body=b"x"))
    assert reply == b"[('main', 3)] main 3 b'x' main {'name': 'main'}"


def test_several_are_a_tuple_and_methods_may_return_them(shop: Workshop) -> None:
    shop.write(
        "two.py",
        HEAD
        + """
class Both:
    @hookimpl
    def worker_started(self) -> tuple[decimal.Decimal, sqlite3.Connection]:
        return decimal.Decimal(7), sqlite3.connect(":memory:")

    @every(1)
    def use(self, db: sqlite3.Connection, number: decimal.Decimal):
        (found,) = db.execute("select 1").fetchone()
        db.close()
        return found, number

@hookimpl
def create_plugin():
    return Both()
""",
    )
    (timer,) = started(shop.load()).timers
    assert timer() == (1, 7)


def test_async_hooks_are_run_to_their_end(shop: Workshop) -> None:
    shop.write(
        "store.py",
        POOL
        + """
@hookimpl
async def worker_started() -> Pool:
    return Pool()

@hookimpl
async def worker_stopping(pool: Pool):
    pool.used_by = "worker_stopping"

@every(1)
def look(pool: Pool):
    return pool.used_by
""",
    )
    host = started(shop.load())
    host.worker_stopping(WORKER, asyncio.run)
    assert host.timers[0]() == "worker_stopping"


def test_an_async_hook_without_an_event_loop_is_a_failed_start(shop: Workshop) -> None:
    shop.write("a.py", HEAD + "@hookimpl\nasync def worker_started(): ...")
    host = shop.load()
    with pytest.raises(PluginErrors, match="worker_started failed: RuntimeError: there is no event loop here"):
        host.worker_started(WORKER)


PROVIDES = "@hookimpl\ndef worker_started() -> decimal.Decimal:\n    return decimal.Decimal({value})\n"
WANTS = "@every(1)\ndef look(number: decimal.Decimal):\n    return number\n"


def test_its_own_comes_first_then_another_plugins(shop: Workshop) -> None:
    shop.write("a.py", HEAD + PROVIDES.format(value=1) + WANTS)
    shop.write("b.py", HEAD + PROVIDES.format(value=2) + WANTS)
    assert [timer() for timer in started(shop.load()).timers] == [1, 2]
    (shop.folder / "b.py").unlink()
    shop.write("c.py", HEAD + WANTS)
    assert [timer() for timer in started(shop.load()).timers] == [1, 1]


def test_of_two_others_neither_is_taken(shop: Workshop) -> None:
    shop.write("a.py", HEAD + PROVIDES.format(value=1))
    shop.write("b.py", HEAD + PROVIDES.format(value=2))
    shop.write("c.py", HEAD + WANTS + "@handler(1)\ndef f(request, number: decimal.Decimal): ...")
    clash = (
        "parameter number: Decimal is provided by plugins a (a.py:3) and b (b.py:3): have only one of them return it"
    )
    assert shop.errors() == [
        f"plugin c: c.py:3: timer look: {clash} from worker_started",
        f"plugin c: c.py:6: handler f of message ID 1: {clash} from worker_started",
    ]


def test_what_nobody_provides_is_an_error_unless_it_has_a_default(shop: Workshop) -> None:
    shop.write("a.py", HEAD + PROVIDES.format(value=1))
    shop.write("b.py", HEAD + "@hookimpl\ndef connection_opened(db: sqlite3.Connection): ...")
    assert shop.errors() == [
        (
            "plugin b: b.py:3: hook connection_opened: parameter db: no worker_started returns Connection: annotate "
            "one with `-> Connection` (there are: Decimal (plugin a))"
        )
    ]
    shop.write("b.py", HEAD + "@every(1)\ndef look(db: sqlite3.Connection | None = None):\n    return db")
    assert started(shop.load()).timers[0]() is None


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ("int | None", "int | None cannot be provided"),
        ("tuple[int, ...]", "Ellipsis cannot be provided"),
        ("list[int]", "list cannot be provided"),
        ("object", "object cannot be provided"),
        ("WorkerInfo", "WorkerInfo cannot be provided"),
        ("Missing", "Missing cannot be resolved: name 'Missing' is not defined"),
    ],
)
def test_a_return_annotation_that_promises_nothing_clear(shop: Workshop, annotation: str, says: str) -> None:
    text = f"from __future__ import annotations\n{HEAD}@hookimpl\ndef worker_started() -> {annotation}: ..."
    shop.write("a.py", text)
    (error,) = shop.errors()
    assert error.startswith(f"plugin a: a.py:4: hook worker_started: its return annotation: {says}")


def test_the_same_type_twice_in_one_plugin_is_an_error(shop: Workshop) -> None:
    shop.write("a.py", HEAD + "@hookimpl\ndef worker_started() -> tuple[decimal.Decimal, decimal.Decimal]: ...")
    assert shop.errors() == [
        (
            "plugin a: a.py:3: worker_started returns Decimal, and so does a.py:3: who asks for one could not say "
            "which; return a class of its own for each"
        )
    ]


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        ("decimal.Decimal", "7", "it returned int, and is annotated to return Decimal"),
        ("decimal.Decimal", "None", "it returned NoneType, and is annotated to return Decimal"),
        (
            "tuple[decimal.Decimal, sqlite3.Connection]",
            "decimal.Decimal(1)",
            "it returned Decimal, and is annotated to return tuple[Decimal, Connection]",
        ),
        (
            "tuple[decimal.Decimal, sqlite3.Connection]",
            "(decimal.Decimal(1), 2)",
            "it returned int, and is annotated to return Connection",
        ),
        ("None", "7", "it returned int, and has no return annotation: annotate it"),
    ],
)
def test_another_object_than_promised_is_a_failed_start(
    shop: Workshop, annotation: str, value: str, says: str
) -> None:
    shop.write("a.py", f"{HEAD}@hookimpl\ndef worker_started() -> {annotation}:\n    return {value}")
    with pytest.raises(PluginErrors) as caught:
        started(shop.load())
    (line,) = shop.lines(caught.value)
    assert line.startswith(f"plugin a: a.py:3: worker_started failed: ProvidedTypeError: {says}")


def test_a_declared_struct_of_settings_is_given_to_all_of_them(shop: Workshop) -> None:
    shop.write(
        "store.py",
        HEAD
        + """
import msgspec

class Settings(msgspec.Struct):
    path: str

@every(1)
def look(settings: Settings):
    return settings.path

@middleware
def m(request, settings: Settings, again: Settings):
    reply = yield
    return reply + settings.path.encode() + again.path.encode()

@handler(1)
def get(request):
    return b"."
""",
    )
    host = started(shop.load(settings={"store": {"path": "p"}}))
    assert host.timers[0]() == "p"
    assert host.routes[1].function(None) == b".pp"


@pytest.mark.parametrize("hook", ["create_plugin", "self_test", "worker_started"])
def test_before_there_is_any_state_nothing_is_injected(shop: Workshop, hook: str) -> None:
    shop.write("a.py", f"{HEAD}@hookimpl\ndef {hook}(number: decimal.Decimal): ...")
    (error,) = shop.errors()
    assert f"hook {hook}(number) may take these arguments, all or some, by these names:" in error


def test_what_is_only_imported_for_type_checkers_is_named(shop: Workshop) -> None:
    text = "from __future__ import annotations\n" + HEAD + "@every(1)\ndef look(number: Decimal): ..."
    shop.write("a.py", text)
    (error,) = shop.errors()
    assert error.startswith(
        "plugin a: a.py:4: timer look: parameter number: Decimal cannot be resolved: name 'Decimal'"
    )
    assert "TYPE_CHECKING" in error
