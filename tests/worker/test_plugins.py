"""Plugins against a configuration's listeners."""

from __future__ import annotations

from pathlib import Path

import pytest

from commscaffoldd.config.load import parse
from commscaffoldd.config.schema import Config
from commscaffoldd.plugin.errors import PluginErrors
from commscaffoldd.worker.plugins import load_host, make_endpoint


def configure(folder: Path, layout: str, message_id: int, more: str = "") -> Config:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "greet.py").write_text(
        f"from commscaffoldd import handler\n@handler({message_id})\ndef greet(request): ...\n"
    )
    text = f'{more}\n[plugins]\npath = ["plugins"]\n[[listen]]\naddress = "127.0.0.1:9001"\nlayout = "{layout}"\n'
    return parse(text, folder / "x.toml")


def test_routes_are_loaded(tmp_path: Path) -> None:
    assert list(load_host(configure(tmp_path, "standard", 7)).routes) == [7]


@pytest.mark.parametrize(("message_id", "use"), [(0xFFFFFFFF, "error replies"), (0xFFFFFFFE, "go away")])
def test_the_daemons_own_ids_are_refused(tmp_path: Path, message_id: int, use: str) -> None:
    with pytest.raises(PluginErrors) as errors:
        load_host(configure(tmp_path, "standard", message_id))
    (error,) = errors.value.errors
    assert f"message ID {message_id} of greet is the daemon's own, for {use}, on 127.0.0.1:9001" in str(error)


def test_where_the_daemon_does_not_use_them_they_are_free(tmp_path: Path) -> None:
    assert list(load_host(configure(tmp_path, "compact", 0xFFFF)).routes) == [0xFFFF]


def test_control_ids_takes_them(tmp_path: Path) -> None:
    with pytest.raises(PluginErrors):
        load_host(configure(tmp_path, "compact", 0xFFFF, "[frame]\ncontrol_ids = true"))


def test_an_endpoint_is_what_its_listener_says(tmp_path: Path) -> None:
    config = configure(tmp_path, "erlang", 7)
    endpoint = make_endpoint(config, config.listen[0])
    assert (endpoint.address, endpoint.layout.name, endpoint.default_id) == ("127.0.0.1:9001", "erlang", 1)


def test_wrong_settings_are_told_with_the_configurations_line(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    configure(tmp_path, "standard", 7)
    (tmp_path / "plugins" / "greet.py").write_text(
        "import msgspec\nfrom commscaffoldd import handler\n"
        "class Settings(msgspec.Struct):\n    times: int = 1\n    words: list[str] = []\n"
        "@handler(7)\ndef greet(request, settings: Settings): ...\n"
    )
    file.write_text(
        '[plugins]\npath = ["plugins"]\n\n[plugin.greet]\ntimes = "x"\nwords = [\n  "a", 5,\n]\ntimess = 2\n'
    )
    config = parse(file.read_text(), file)

    with pytest.raises(PluginErrors) as errors:
        load_host(config)

    assert str(errors.value).splitlines() == [
        f'plugin greet: {file}:9: plugin.greet.timess: unknown key; did you mean "times"?',
        f'plugin greet: {file}:5: plugin.greet.times: found "x"; allowed: an integer',
        f"plugin greet: {file}:6: plugin.greet.words[1]: found 5; allowed: a string",
    ]
    file.unlink()
    with pytest.raises(PluginErrors, match=f"{file}: plugin.greet.times: found"):
        load_host(config)
