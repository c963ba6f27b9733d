"""Things that are allowed and probably not meant."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from commscaffoldd.config.hints import hints
from commscaffoldd.config.schema import Config, Daemon
from commscaffoldd.core.settings import ConnectionSettings

CONFIG = Config(path=Path("x"), connections=ConnectionSettings(max=100), daemon=Daemon(user="www", group="www"))


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 300))


def test_what_is_well_gives_no_hint() -> None:
    assert hints(CONFIG) == []


def test_a_user_that_cannot_be_taken_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [hint.split(":")[0] for hint in hints(CONFIG)] == ["daemon.user", "daemon.group"]


def test_more_clients_than_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 227))
    assert "the limit is 227" in hints(CONFIG)[0]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 228))
    assert hints(CONFIG) == []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, resource.RLIM_INFINITY))
    assert hints(CONFIG) == []
