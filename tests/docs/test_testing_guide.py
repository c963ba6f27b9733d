"""The examples in docs/testing.md: they compile, and what they import is there."""

from __future__ import annotations

import ast

import pytest

from tests.docs.markdown import Block, blocks

PAGE = "docs/testing.md"


@pytest.mark.parametrize(
    "block",
    [block for block in blocks(PAGE) if block.language == "python"],
    ids=lambda block: f"line {block.line}",
)
def test_it_compiles_and_its_imports_are_there(block: Block) -> None:
    tree = ast.parse(block.text, PAGE)
    imports: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    absolute = [node for node in imports if not (isinstance(node, ast.ImportFrom) and node.level)]
    exec(compile(ast.Module(absolute, []), PAGE, "exec"), {})
