"""Values that are each right and together wrong, or wrong on this machine."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import parse
from commscaffoldd.core.layout import PRESETS


def problems(text: str, path: Path = Path("/somewhere/x.toml")) -> list[tuple[str, str]]:
    try:
        parse(text, path)
    except ConfigErrors as errors:
        return [(error.key, error.problem) for error in errors.errors]
    return []


def listen(*addresses: str) -> str:
    return "".join(f"[[listen]]\naddress = '{address}'\n" for address in addresses)


def test_every_preset_and_a_custom_layout_can_be_listened_with() -> None:
    text = "[layout.mine]\nfields = ['length:u16']\n"
    for number, name in enumerate([*PRESETS, "mine"]):
        text += f"[[listen]]\naddress = '127.0.0.1:{9000 + number}'\nlayout = '{name}'\n"
    assert problems(text) == []


def test_a_custom_layout_is_built_to_see_whether_it_can_be() -> None:
    [(key, problem)] = problems("[layout.mine]\nfields = ['id:u16']")
    assert key == "layout.mine"
    assert "no length field" in problem


def test_a_custom_layout_cannot_hide_a_preset() -> None:
    [(key, problem)] = problems("[layout.compact]\nfields = ['length:u16']")
    assert key == "layout.compact"
    assert "name of a preset" in problem


def test_a_wrong_layout_is_reported_once_and_not_again_where_it_is_used() -> None:
    text = "[[listen]]\nlayout = 'mine'\n[layout.mine]\nfields = 3"
    assert [key for key, _ in problems(text)] == ["layout.mine.fields"]


def test_two_listeners_cannot_have_one_address() -> None:
    [(key, problem)] = problems(listen("127.0.0.1:9000", "127.0.0.1:9001", "127.0.0.1:9000"))
    assert key == "listen[2].address"
    assert "already the address of listen[0]" in problem


def test_any_number_of_listeners_may_ask_for_a_free_port() -> None:
    assert problems(listen("127.0.0.1:0", "127.0.0.1:0")) == []


@pytest.mark.parametrize("address", ["", "9000", ":9000", "::1:9000", "a:b", "a:65536", "unix:", f"{'a' * 64}.b:1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert [key for key, _ in problems(listen(address))] == ["listen[0].address"]


def test_a_unix_sockets_path_is_measured_once_it_is_absolute() -> None:
    assert problems(listen("unix:" + "x" * 90), Path("/etc/x.toml")) == []
    [(key, problem)] = problems(listen("unix:" + "x" * 90), Path("/a/folder/with/a/long/name/x.toml"))
    assert key == "listen[0].address"
    assert "longer than 107 bytes" in problem


def test_a_unix_socket_is_not_shared_by_reuseport() -> None:
    text = "[[listen]]\naddress = 'unix:/tmp/x'\naccept = 'reuseport'"
    assert [key for key, _ in problems(text)] == ["listen[0].accept"]


def test_a_socket_from_systemd_needs_no_systemd_to_be_checked() -> None:
    assert problems(listen("systemd:game", "systemd:admin")) == []


def test_a_socket_from_systemd_is_not_shared_by_reuseport() -> None:
    text = "[[listen]]\naddress = 'systemd:game'\naccept = 'reuseport'"
    [(key, problem)] = problems(text)
    assert key == "listen[0].accept"
    assert problem == (
        'found "reuseport" with a socket from systemd, which all workers share; allowed there: "exclusive" or "mutex"'
    )


def test_a_socket_from_systemd_is_listened_on_once() -> None:
    assert problems(listen("systemd:game", "systemd:game")) == [
        ("listen[1].address", "systemd:game is already the address of listen[0]")
    ]


@pytest.mark.parametrize("address", ["systemd:", "systemd:a:b", f"systemd:{'x' * 256}"])
def test_a_name_that_systemd_cannot_pass_is_refused(address: str) -> None:
    assert [key for key, _ in problems(listen(address))] == ["listen[0].address"]


def test_no_more_connections_are_made_at_start_than_may_be() -> None:
    assert problems("[connections]\nmax = 10\ninitial = 11") == [
        ("connections.initial", "found 11; allowed: at most connections.max, which is 10")
    ]
    assert problems("[connections]\nmax = 10\ninitial = 10") == []
    assert [key for key, _ in problems("[connections]\nmax = 'many'\ninitial = 20000")] == ["connections.max"]


def test_a_quarantine_does_not_begin_with_more_than_the_longest() -> None:
    assert problems("[quarantine]\nfirst = 500") == [
        ("quarantine.first", "found 500; allowed: at most quarantine.longest, which is 300")
    ]
    assert problems("[quarantine]\nfirst = 300") == []
    assert [key for key, _ in problems("[quarantine]\nfirst = 500\nlongest = 0")] == ["quarantine.longest"]


def test_the_logs_folder_must_exist(tmp_path: Path) -> None:
    assert problems("[log]\nfile = 'x.log'", tmp_path / "x.toml") == []
    [(key, problem)] = problems("[log]\nfile = 'none/x.log'", tmp_path / "x.toml")
    assert key == "log.file"
    assert problem.startswith(f"the folder {tmp_path}/none does not exist")
    [(_, problem)] = problems("[log]\nfile = '.'", tmp_path / "x.toml")
    assert "is a directory" in problem


def test_run_dir_must_be_a_folder_with_a_path_short_enough_for_the_control_socket(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    [(key, problem)] = problems("[daemon]\nrun_dir = 'file'", tmp_path / "x.toml")
    assert (key, problem) == ("daemon.run_dir", f"{tmp_path}/file is not a directory")
    longest = "/" + "x" * (107 - len("/" + "/control.sock"))
    assert problems(f"[daemon]\nrun_dir = '{longest}'") == []
    [(key, problem)] = problems(f"[daemon]\nrun_dir = '{longest}x'")
    assert key == "daemon.run_dir"
    assert "at most 107 bytes" in problem


def test_user_and_group_must_exist() -> None:
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(0).gr_name
    assert problems(f"[daemon]\nuser = '{user}'\ngroup = '{group}'") == []
    keys = [key for key, _ in problems("[daemon]\nuser = 'no such user'\ngroup = 'no such group'")]
    assert keys == ["daemon.user", "daemon.group"]
