"""The parts of both paths, for tests that run on each engine, and pairs of engines between which connections move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.move_rig import ENGINES, Engines, Move, move
from tests.core.parts import Parts, native_parts, python_parts


@pytest.fixture
def parts(each_engine: str) -> Parts:
    """What this engine's path is made of."""
    return native_parts() if each_engine == "native" else python_parts()


@pytest.fixture(params=ENGINES)
def engines(request: pytest.FixtureRequest) -> Engines:
    """The old worker's engine and the new one's: every pair."""
    pair: Engines = request.param
    return pair


@pytest.fixture
def two(engines: Engines) -> Iterator[Move]:
    """Two workers' cores, whose plugins have no hooks."""
    with move(engines) as made:
        yield made


@pytest.fixture
def hooked(engines: Engines) -> Iterator[Move]:
    """Two workers' cores, whose plugins have all hooks of connections."""
    with move(engines, hooks=True) as made:
        yield made
