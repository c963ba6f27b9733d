"""What tests of the command share: a configuration, and how the command is run."""

from __future__ import annotations

import sys
from typing import Final, Protocol

from click.testing import Result

CONFIG = """\
[daemon]
workers = 2
run_dir = "run"
stop_timeout = 7.0

[[listen]]
address = "127.0.0.1:9000"

[[listen]]
address = "0.0.0.0:9001"
layout = "compact"

[[listen]]
address = "127.0.0.1:9002"
layout = "mine"

[layout.mine]
fields = ["magic:u16=0xCAFE", "length:u16", "id:u16"]

[plugins]
path = ["plugins"]
"""


class Run(Protocol):
    def __call__(self, *words: str, input: bytes | None = None) -> Result: ...  # noqa: A002  # click's name


PROGRAM: Final = (
    sys.executable,
    "-c",
    "from commscaffoldd.cli.main import main; main(prog_name='commscaffoldd')",
)
"""The command as a process of its own; the words follow."""
