"""A reader's files: written, changed and continued as a page says."""

from __future__ import annotations

from pathlib import Path

from tests.docs.markdown import Block


def take_over(block: Block, folder: Path) -> None:
    """Do to a file in this folder what the block says."""
    path = folder / block.file
    if block.language == "diff":
        path.write_text(changed(path.read_text(), block.text))
    elif block.language == "toml":
        path.write_text(f"{path.read_text()}\n{block.text}")
    else:
        path.write_text(block.text)


def changed(source: str, diff: str) -> str:
    """The source with a change in it, whose old lines must be there, once."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] or "\n" for line in lines if line[0] != "+")
    new = "".join(line[1:] or "\n" for line in lines if line[0] != "-")
    assert f"\n{source}".count(f"\n{old}") == 1, f"not there once:\n{old}"
    return f"\n{source}".replace(f"\n{old}", f"\n{new}")[1:]
