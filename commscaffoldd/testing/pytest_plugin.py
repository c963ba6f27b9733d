"""The pytest plugin `commscaffoldd`: fixtures for the tests of plugins.

pytest loads this module in every run in whose environment commscaffoldd is installed, so it imports what a fixture
needs when the fixture is used. `-p no:commscaffoldd` leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from commscaffoldd.testing.clock import FakeClock
    from commscaffoldd.testing.connection import FakeConnection
    from commscaffoldd.testing.failures import Errors
    from commscaffoldd.testing.harness import PluginHarness
    from commscaffoldd.testing.server import Server
    from commscaffoldd.testing.subject import Subject

Value = TypeVar("Value")

MARKER: Final = "commscaffoldd"
MARKER_HELP: Final = (
    "commscaffoldd(plugins=[...], config={...}, settings={...}): the plugins under test, by path or name; sections "
    "of the configuration; the plugin's own settings, if it is one"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what an ini file can say."""
    parser.addini(
        "commscaffoldd_plugins",
        "plugins under test where the marker names none: paths, from the ini file's folder, or names of installed "
        "ones; by default the plugin in whose folder the test lies",
        type="linelist",
        default=[],
    )
    parser.addini(
        "commscaffoldd_config",
        "a configuration file that the workers under test take over, but for addresses and plugins.path",
        type="string",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", MARKER_HELP)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running worker with the plugins under test, on a loopback port; see `commscaffoldd.testing.Server`.

    A handler or hook that fails meanwhile fails the test, unless the test takes it: `server.errors`.
    """
    from commscaffoldd.testing.server import Server  # noqa: PLC0415

    subject = _or_fail(lambda: _subject(request))
    made = Server(_or_fail(subject.load), subject.config)
    _or_fail(made.start)
    try:
        yield made
    finally:
        made.stop()
    _fail_for(made.errors)


@pytest.fixture
def clock() -> FakeClock:
    """Time for `plugin`, which passes when the test says so; see `commscaffoldd.testing.FakeClock`."""
    from commscaffoldd.testing.clock import FakeClock  # noqa: PLC0415

    return FakeClock()


@pytest.fixture
def plugin(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[PluginHarness]:
    """The plugins under test without sockets; see `commscaffoldd.testing.PluginHarness`."""
    from commscaffoldd.testing.harness import PluginHarness  # noqa: PLC0415

    subject = _or_fail(lambda: _subject(request))
    made = PluginHarness(_or_fail(subject.load), subject.config, clock)
    _or_fail(made.start)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def connection(plugin: PluginHarness) -> FakeConnection:
    """The client of `plugin` whose messages are those for which no other is named."""
    return plugin.connection


def _or_fail(step: Callable[[], Value]) -> Value:
    """Do a step; what is wrong with plugins, configuration or markers is told without a traceback."""
    from commscaffoldd.config.errors import ConfigErrors  # noqa: PLC0415
    from commscaffoldd.plugin.errors import PluginErrors  # noqa: PLC0415
    from commscaffoldd.testing.sources import SubjectError  # noqa: PLC0415

    try:
        return step()
    except (ConfigErrors, PluginErrors, SubjectError) as error:
        pytest.fail(str(error), pytrace=False)


def _fail_for(errors: Errors) -> None:
    if errors:
        shown = "\n\n".join(str(error) for error in errors)
        hint = "(a test that means it takes them: with server.errors.expect(ValueError): ...)"
        pytest.fail(f"while the test ran, the server logged {len(errors)} error(s):\n{shown}\n{hint}", pytrace=False)


def _subject(request: pytest.FixtureRequest) -> Subject:
    """What is under test, from the markers, the ini file, and where the test lies."""
    from commscaffoldd.testing.configuration import merged  # noqa: PLC0415
    from commscaffoldd.testing.subject import Subject, Wish  # noqa: PLC0415

    plugins = None
    config: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for marker in request.node.iter_markers(MARKER):  # the closest one comes first
        wish = Wish.read(marker.args, marker.kwargs)
        plugins = wish.plugins if plugins is None else plugins
        config = merged(wish.config, config)
        settings = merged(wish.settings, settings)
    file = Path(request.node.path)
    top = request.config.rootpath
    base = request.config.inipath.parent if request.config.inipath is not None else top
    return Subject.find(
        Wish(plugins, config, settings),
        file=file,
        top=top,
        base=base,
        default_plugins=request.config.getini("commscaffoldd_plugins"),
        config_file=request.config.getini("commscaffoldd_config"),
    )
