"""The parts of both paths, for tests that run on each engine."""

from __future__ import annotations

import pytest

from tests.core.parts import Parts, native_parts, python_parts


@pytest.fixture
def parts(each_engine: str) -> Parts:
    """What this engine's path is made of."""
    return native_parts() if each_engine == "native" else python_parts()
