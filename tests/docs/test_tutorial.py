"""The tutorial is typed, saved and looked at, from its first command to its last."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.files import take_over
from tests.docs.markdown import Block, blocks
from tests.docs.terminal import Server, Shell, pattern, typed
from tests.system.ports import Ports
from tests.typescript_tools import MODULES

PAGE = "docs/tutorial.md"
ADDRESS = "127.0.0.1:9000"  # in the page; each run takes a free one


class Reader:
    """Somebody who does what the page says, in two terminals and an editor."""

    def __init__(self, folder: Path, address: str, *, has_typescript: bool) -> None:
        self._shell = Shell(folder)
        self._output = folder / "terminal 1"
        self._address = address
        self._has_typescript = has_typescript
        self._server: Server | None = None
        self._project = folder

    def follow(self, block: Block) -> None:
        """One block of the page."""
        block = block._replace(text=block.text.replace(ADDRESS, self._address))
        kind, _, argument = block.mark.partition(" ")
        if block.mark == "not run" or (self._needs_typescript(block) and not self._has_typescript):
            return
        if kind == "excerpt":
            assert block.text in (self._project / argument).read_text()
        elif kind == "terminal":
            self._look_at_the_server(block.text)
        elif block.language == "console":
            self._type(block.text)
        else:
            take_over(block, self._project)

    def stop(self) -> None:
        """Ctrl-C in the first terminal."""
        if self._server is not None:  # else something has gone wrong before it came to that
            assert self._server.stop() == 0

    @staticmethod
    def _needs_typescript(block: Block) -> bool:
        return block.mark == "needs typescript" or block.language == "typescript"

    def _look_at_the_server(self, text: str) -> None:
        for started in typed(text):
            self._server = Server(started.command, self._project, self._output)
            text = started.shown
        assert self._server is not None
        self._server.shows(text)

    def _type(self, text: str) -> None:
        for command, lines, shown in typed(text):
            if command.startswith("npm "):
                self._install_compiler()
                continue
            code, found = self._shell.run(command.replace("npx tsc", "node_modules/.bin/tsc"), lines)
            assert pattern(shown).fullmatch(found), f"{command}: {found}instead of: {shown}"
            assert code == 0 or "error" in shown, command
            if command.startswith("commscaffoldd new project"):
                self._project = self._shell.folder / command.split()[-1]
                self._move_to_free_port(self._project / "etc" / "commscaffoldd.toml")

    def _install_compiler(self) -> None:
        """As npm would, without asking anybody: it has been installed for the tests."""
        modules = self._shell.folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(MODULES)
        (self._shell.folder / "package.json").write_text('{"type": "module"}\n')

    def _move_to_free_port(self, config: Path) -> None:
        source = config.read_text()
        assert ADDRESS in source
        config.write_text(source.replace(ADDRESS, self._address))


@pytest.fixture
def address() -> Iterator[str]:
    ports = Ports()
    yield f"127.0.0.1:{ports.take()}"
    ports.close()


@pytest.mark.timeout(120)  # some forty programs, one after another; 18 s, and more on a busy machine
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_all_of_it_works_as_it_stands_there(tmp_path: Path, address: str) -> None:
    has_typescript = shutil.which("npx") is not None and (MODULES / ".bin" / "tsc").exists()
    reader = Reader(tmp_path, address, has_typescript=has_typescript)
    try:
        for block in blocks(PAGE):
            try:
                reader.follow(block)
            except AssertionError as error:
                raise AssertionError(f"{PAGE}:{block.line}: {error}") from error
    finally:
        reader.stop()
