"""The example in plugins/README.md, tried out."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from commscaffoldd.plugin.host import load_plugins
from tests.plugins.conftest import PLUGINS, Client, Worker

README = (PLUGINS / "README.md").read_text()


def test_the_first_plugin(tmp_path: Path) -> None:
    (code,) = re.findall(r"^ *```python\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "greet.py").write_text(dedent(code))

    worker = Worker(load_plugins([tmp_path], [], {}))

    assert worker.ask(Client("1.0.1"), 1001, b"world") == b"hello, world"
