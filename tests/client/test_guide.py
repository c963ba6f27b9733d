"""The examples of docs/client.md, as they stand there, against a server that echoes."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from commscaffoldd.core.layout import PRESETS
from tests.client.frame_server import frame_server

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("guide_example")  # Structs look their annotations up in their module
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with frame_server(lambda f: PRESETS["standard"].encode(*f)) as server:
        assert "127.0.0.1:9000" in example
        exec(compile(example.replace("127.0.0.1:9000", server.address), str(GUIDE), "exec"), module.__dict__)
