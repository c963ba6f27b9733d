"""What a replay prints."""

from __future__ import annotations

import io
from pathlib import Path

from commscaffoldd.capture.recording import load_recording
from commscaffoldd.cli.replay_progress import replay_progress
from commscaffoldd.cli.replay_text import as_object, describe
from commscaffoldd.client.replay_plan import Difference, ReplayPlan, ReplayResult
from commscaffoldd.core.address import Address
from commscaffoldd.core.layout import PRESETS
from tests.capture.examples import write_capture

RESULT = ReplayResult(connections=2, messages=3, replies=2, errors={3: 1, 1000: 1}, seconds=0.25)


def test_a_summary(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "x.cap")
    plan = ReplayPlan(Address.parse("127.0.0.1:9000"), PRESETS["standard"], load_recording(path), 2.0)
    result = ReplayResult(connections=2, messages=3, replies=2, errors={3: 1, 1000: 1}, seconds=0.25)
    for number in range(12):
        result.differ(Difference(number, "1.0.0", 5, 7, recorded=(b"hello", b""), got=(b"\xff\x00" * 40,)))
    result.differ(Difference(99, "1.0.0", 5, 7, recorded=(b"hello",), got=()))
    result.fail("connection 1.0.1: gone")
    text = "\n".join(describe(plan, result, check=True))
    assert text.startswith(f"127.0.0.1:9000: layout standard, {path} at speed 2, 0.25 s\n")
    assert "connections    2, 1 failed\n" in text
    assert "1 of code 3 (handler failed)\n" in text
    assert "1 of code 1000 (of a plugin)\n" in text
    assert "different      12\nmissing        1\n" in text
    assert "record 0 (connection 1.0.0, id 5, sequence 7): recorded 'hello' and '', now ff 00 ff" in text
    assert text.endswith("and 3 more differences")
    assert "different" not in "\n".join(describe(plan, result, check=False))


def test_differences_are_in_json_only_if_they_were_asked_for() -> None:
    assert "differences" not in as_object(RESULT, check=False)
    assert as_object(RESULT, check=True)["differences"] == []
    assert as_object(RESULT, check=True)["errors"] == {"3": 1, "1000": 1}


def test_the_bar_is_for_terminals() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shown in ((io.StringIO(), False), (Terminal(), True)):
        with replay_progress(6, stream) as show:
            show(RESULT)
        assert ("3 sent, 2 replies" in stream.getvalue()) is shown
