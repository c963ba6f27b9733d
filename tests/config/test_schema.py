"""The schema: its defaults are what it allows, and every type has words for an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect, structs

from commscaffoldd.config.describe import describe_type
from commscaffoldd.config.load import SECTIONS
from commscaffoldd.config.schema import Config, Daemon, Listen
from commscaffoldd.core.layout import LayoutSpec


@pytest.mark.parametrize("kind", [*SECTIONS.values(), Listen, LayoutSpec])
def test_every_default_is_allowed_and_every_type_has_words(kind: Any) -> None:
    for key in structs.fields(kind):
        assert describe_type(inspect.type_info(key.type))
        if not key.required:
            assert msgspec.convert(key.default, key.type) == key.default


def test_no_workers_means_one_for_each_cpu() -> None:
    assert Config(path=Path("x")).worker_count == len(os.sched_getaffinity(0))
    assert Config(path=Path("x"), daemon=Daemon(workers=3)).worker_count == 3


def test_a_configuration_cannot_be_changed() -> None:
    config = Config(path=Path("x"))
    with pytest.raises(AttributeError):
        config.log = config.log  # type: ignore[misc]
