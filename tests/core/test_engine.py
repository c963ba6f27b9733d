"""Which engine is asked for."""

from __future__ import annotations

import pytest

from commscaffoldd.core.engine import VARIABLE, wanted_engine


def ask(monkeypatch: pytest.MonkeyPatch, asked: str | None) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if asked is not None:
        monkeypatch.setenv(VARIABLE, asked)


@pytest.mark.parametrize("asked", ["auto", None])
@pytest.mark.parametrize(("missing", "found"), [(None, "native"), ("there is none", "python")])
def test_by_default_it_is_the_native_one_where_it_is_there(
    asked: str | None, missing: str | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(monkeypatch, asked)
    monkeypatch.setattr("commscaffoldd.core.engine.why_no_native_engine", lambda: missing)
    assert wanted_engine() == found


@pytest.mark.parametrize("missing", [None, "there is none"])
def test_the_python_engine_is_always_there(missing: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, "python")
    monkeypatch.setattr("commscaffoldd.core.engine.why_no_native_engine", lambda: missing)
    assert wanted_engine() == "python"


@pytest.mark.parametrize(
    ("asked", "says"),
    [("native", "'native', but there is none; allowed: python, auto"), ("", "allowed: python, native, auto")],
)
def test_an_engine_that_is_not_there_is_an_error(asked: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, asked)
    monkeypatch.setattr("commscaffoldd.core.engine.why_no_native_engine", lambda: "there is none")
    with pytest.raises(ValueError, match=says):
        wanted_engine()
