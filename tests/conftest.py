"""For all tests: the engines that tests run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from commscaffoldd.core.engine import VARIABLE, why_no_native_engine


@pytest.fixture(scope="module", params=["python", "native"])
def each_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a module's tests once on each engine, in this process and in those that it starts."""
    name: str = request.param
    if name == "native" and (missing := why_no_native_engine()):
        pytest.skip(missing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, name)
        yield name
