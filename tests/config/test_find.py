"""Which file is meant, and where its daemon would be, even if the file has been broken since."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commscaffoldd.config import find
from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.find import ENVIRONMENT, find_config, run_dir_of
from commscaffoldd.config.paths import default_run_dir


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, in which nothing is found yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(find, "PLACES", (Path("etc/commscaffoldd.toml"), tmp_path / "system.toml"))
    return tmp_path


def test_option_goes_before_environment_before_here_before_the_system(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option.toml", "environment.toml", "system.toml", "etc/commscaffoldd.toml"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).touch()
    monkeypatch.setenv(ENVIRONMENT, "environment.toml")
    assert find_config("option.toml") == place / "option.toml"
    assert find_config(None) == place / "environment.toml"
    monkeypatch.setenv(ENVIRONMENT, "")
    assert find_config(None) == place / "etc/commscaffoldd.toml"
    (place / "etc/commscaffoldd.toml").unlink()
    assert find_config(None) == place / "system.toml"


def test_no_configuration_at_all_says_where_it_was_looked_for(place: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        find_config(None)
    assert str(caught.value) == (
        f"{place}/etc/commscaffoldd.toml: no configuration file here, nor at {place}/system.toml; "
        "name one by --config or $COMMSCAFFOLDD_CONFIG"
    )


@pytest.mark.parametrize("name", ["none.toml", "", "a\0b", "a" * 9999])
def test_a_file_that_was_asked_for_must_be_there(place: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "system.toml").touch()
    with pytest.raises(ConfigErrors, match="--config"):
        find_config(name)
    if name and "\0" not in name:
        monkeypatch.setenv(ENVIRONMENT, name)
        with pytest.raises(ConfigErrors, match="COMMSCAFFOLDD_CONFIG"):
            find_config(None)


@pytest.mark.parametrize(
    "text",
    [
        "[daemon]\nrun_dir = '../run'",
        "daemon = { run_dir = '../run' }",
        "daemon.run_dir = '../run'\n[log]\nlevel = 7",
        "[daemon]\nrun_dir = '../run'\n[log]\nlevel =",
        "[log]\nlevel =\n[daemon]\n# run_dir = 'other'\nrun_dir = '../run'",
        "[log]\nrun_dir = 'other'\n[daemon] # here\nrun_dir = '../run' # there\n]]]",
        "x = [\ndaemon.run_dir = '../run'",
    ],
)
def test_run_dir_is_found_in_broken_files_too(tmp_path: Path, text: str) -> None:
    file = tmp_path / "etc" / "x.toml"
    file.parent.mkdir()
    file.write_text(text)
    assert run_dir_of(file) == tmp_path / "run"


@pytest.mark.parametrize("content", [b"", b"\xff", b"[daemon]\nrun_dir = 7", b"[daemon", b"daemon = 3", b"]" * 99])
def test_run_dir_is_the_default_if_the_file_tells_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    assert run_dir_of(file) == default_run_dir()
    assert run_dir_of(tmp_path / "none") == default_run_dir()
    assert run_dir_of(tmp_path) == default_run_dir()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary() | st.text(alphabet="[daemon]run_dir = '\"\n\\u0").map(str.encode))
def test_run_dir_of_never_raises(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    assert run_dir_of(file).is_absolute()
