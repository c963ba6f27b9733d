"""A short run of the fuzzer with sanitizers: the corpus, and some mutations of it; `make fuzz` runs longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import sanitized
from fuzz.inputs import CORPUS, first_inputs

pytest.importorskip("Cython", reason="Cython, which builds the fuzzer, is not installed here")
pytest.importorskip("setuptools", reason="setuptools, which builds the fuzzer, is not installed here")

EXECUTIONS = 50_000


@pytest.mark.timeout(300)  # it may have to be compiled first
def test_the_corpus_and_mutations_of_it_break_nothing() -> None:
    if missing := sanitized.why_not():
        pytest.skip(f"the fuzzer cannot be built: {missing}")
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.run", f"--executions={EXECUTIONS}", "--seed=1"],
        cwd=sanitized.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{EXECUTIONS} executions" in done.stdout


def test_the_corpus_is_what_its_program_writes() -> None:
    expected = dict(first_inputs())
    found = {path.name: path.read_bytes() for path in CORPUS.iterdir()}
    assert {name: found.get(name) for name in expected} == expected  # what fuzzing has found may be there besides


def test_what_is_found_wrong_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fuzz import run

    monkeypatch.setattr(run, "CRASHES", sanitized.ROOT / "build" / f"crashes-{tmp_path.name}")
    told = run.save((3).to_bytes(4, sys.byteorder) + b"bad and more", 99)
    saved = sanitized.ROOT / told.rpartition("=")[2]
    try:
        assert saved.read_bytes() == b"bad"
    finally:
        saved.unlink()
        saved.parent.rmdir()
