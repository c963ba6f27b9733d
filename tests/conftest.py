"""For all tests: the engines that tests run on."""

from __future__ import annotations

import pytest

from commscaffoldd.core.engine import VARIABLE, why_no_native_engine


@pytest.fixture(params=["python", "native"])
def each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test once on each engine, in this process and in those that it starts."""
    name: str = request.param
    if name == "native" and (missing := why_no_native_engine()):
        pytest.skip(missing)
    monkeypatch.setenv(VARIABLE, name)
    return name
