"""Which engine is asked for."""

from __future__ import annotations

import pytest

from commscaffoldd.core.engine import VARIABLE, wanted_engine


@pytest.mark.parametrize("asked", ["auto", "python", None])
def test_the_python_engine(asked: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if asked is not None:
        monkeypatch.setenv(VARIABLE, asked)
    assert wanted_engine() == "python"


@pytest.mark.parametrize(
    ("asked", "says"), [("native", "has no native engine"), ("", "allowed: python, native, auto")]
)
def test_an_engine_that_is_not_there_is_an_error(asked: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, asked)
    with pytest.raises(ValueError, match=says):
        wanted_engine()
