"""The plugin on the first page, tried out."""

from __future__ import annotations

import re
from pathlib import Path

from commscaffoldd.testing import load_plugin
from tests.docs.markdown import blocks
from tests.docs.plugin_names import names_of


def test_it_answers_as_is_shown(tmp_path: Path) -> None:
    plugin_block, console, *_ = blocks("README.md")
    (tmp_path / "greet.py").write_text(plugin_block.text)
    sent, shown = re.findall(r'\{"[a-z]+": ?"([^"]+)"\}', console.text)
    with load_plugin(tmp_path / "greet.py") as plugin:
        hello = names_of(plugin, 1001)["Hello"]
        assert plugin.call(1001, hello(sent)).text == shown
