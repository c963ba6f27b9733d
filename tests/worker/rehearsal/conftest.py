"""Plays records through a plugin's source, without a canary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from commscaffoldd.capture.filter import CaptureFilter
from commscaffoldd.capture.recording import load_recording
from commscaffoldd.capture.records import Record
from commscaffoldd.core.event_loop import launched
from commscaffoldd.plugin.host import WorkerInfo, load_plugins
from commscaffoldd.worker.life import PluginLife
from commscaffoldd.worker.rehearsal.rehearsal import Rehearsal
from commscaffoldd.worker.rehearsal.verdicts import Verdicts
from tests.capture.examples import HEADER, write_capture

Rehearse = Callable[..., Verdicts]


@pytest.fixture
def rehearse(tmp_path: Path) -> Iterator[Rehearse]:
    """Plays them."""

    def play(source: str, *records: Record, timeout: float = 30.0, wanted: CaptureFilter = HEADER.filter) -> Verdicts:
        (tmp_path / "plugins").mkdir()
        text = "from commscaffoldd import handler, hookimpl\nSEEN = []\n" + dedent(source)
        (tmp_path / "plugins" / "greet.py").write_text(text)
        host = load_plugins([tmp_path / "plugins"], (), {})
        header = type(HEADER)(HEADER.daemon, HEADER.started, HEADER.clock, HEADER.spoken, wanted)
        recording = load_recording(write_capture(tmp_path / "x.cap", *records, header=header))
        life = PluginLife(host, WorkerInfo(0, os.getpid(), canary=True))
        life.start(5)
        routes = host.routes if life.event_loop is None else launched(host.routes, life.event_loop)
        made = Rehearsal(recording, host, routes, {}, timeout)
        made.play()
        assert life.stop(5)
        return made.verdicts

    yield play
    os.environ.pop("SEEN", None)
