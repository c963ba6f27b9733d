"""What counts as a change, on a tree of files and without waiting: the pauses are where people type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commscaffoldd.cli.dev.speech import describe_changes
from commscaffoldd.cli.dev.tree import Change, Tree
from commscaffoldd.cli.dev.watch import Watch


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "plugins" / "one").mkdir(parents=True)
    (tmp_path / "plugins" / "one" / "__init__.py").touch()
    path = tmp_path / "c.toml"
    path.write_text('[plugins]\npath = ["plugins"]\n')
    return path


def watch(config: Path, *steps: Callable[[], object]) -> Watch:
    """One that finds, in each of its pauses, that the next step has been done."""
    left: Iterator[Callable[[], object]] = iter(steps)
    return Watch(Tree(config), lambda _: (next(left, lambda: None)(), None)[1])


def steps_left(count: int) -> Callable[[], bool]:
    """Goes on for so many looks."""
    looks = iter(range(count))
    return lambda: next(looks, None) is not None


def test_files_saved_one_after_the_other_are_one_change(config: Path) -> None:
    one, two = config.parent / "plugins" / "one" / "__init__.py", config.parent / "plugins" / "two.py"
    found = watch(
        config, lambda: one.write_text("x"), lambda: two.write_text("y"), lambda: two.write_text("yy")
    ).wait(steps_left(9))
    assert found == [Change(one, "changed"), Change(two, "new")]


def test_what_has_been_found_is_not_found_again(config: Path) -> None:
    one = config.parent / "plugins" / "one" / "__init__.py"
    watching = watch(config, lambda: one.write_text("x"))
    assert watching.wait(steps_left(9))
    assert watching.wait(steps_left(3)) == []


def test_what_is_taken_back_is_no_change(config: Path) -> None:
    probe = config.parent / "plugins" / "probe"
    assert watch(config, probe.touch, probe.unlink).wait(steps_left(4)) == []


@pytest.mark.parametrize(
    "name",
    [".greet.py.swp", "greet.py~", "#greet.py#", ".#greet.py", "4913", "x.pyc", "a.db-wal", "x.log", "__pycache__"],
)
def test_what_editors_and_programs_write_beside_the_files_is_no_change(config: Path, name: str) -> None:
    assert watch(config, (config.parent / "plugins" / name).touch).wait(steps_left(4)) == []


def test_a_file_put_in_anothers_place_is_a_change_even_with_its_time_and_size(config: Path) -> None:
    import os

    one, other = config.parent / "plugins" / "one" / "__init__.py", config.parent / "other"
    other.touch()
    status = one.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert watch(config, lambda: other.rename(one)).wait(steps_left(4)) == [Change(one, "changed")]


def test_links_in_a_circle_end(config: Path) -> None:
    folder = config.parent / "plugins" / "one"
    (folder / "again").symlink_to(folder)
    assert set(Tree(config).look()) == {config, folder / "__init__.py"}


def test_a_configuration_that_is_broken_for_a_while_keeps_its_folders(config: Path) -> None:
    tree = Tree(config)
    before = tree.look()
    config.write_text("[broken")
    assert tree.look().keys() == before.keys()


def test_a_data_file_that_changes_during_two_loads_is_left_out(config: Path) -> None:
    data = config.parent / "plugins" / "cache.json"
    watching = watch(config)
    data.write_text("1")
    assert watching.written_by_plugins() == []
    assert watching.wait(steps_left(3)) == [Change(data, "new")]
    data.write_text("22")
    assert watching.written_by_plugins() == [Change(data, "changed")]
    data.write_text("333")
    assert watching.wait(steps_left(3)) == []


def test_source_that_changes_during_a_load_is_never_left_out(config: Path) -> None:
    one = config.parent / "plugins" / "one" / "__init__.py"
    watching = watch(config)
    for text in ("x", "xx", "xxx"):
        one.write_text(text)
        assert watching.written_by_plugins() == []
        assert watching.wait(steps_left(3)) == [Change(one, "changed")]


def test_many_files_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = [Change(tmp_path / f"{name}.py", "new") for name in "abcdefg"]
    assert describe_changes(found) == "a.py new, b.py new, c.py new, d.py new, e.py new and 2 more"
    assert describe_changes([Change(Path("/elsewhere/x.py"), "gone")]) == "/elsewhere/x.py gone"
