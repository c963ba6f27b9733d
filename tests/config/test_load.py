"""Loading: what is right comes out typed and absolute; what is wrong is listed, all of it, with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from commscaffoldd.config.errors import ConfigErrors
from commscaffoldd.config.load import MAX_FILE_SIZE, OTHER_SECTIONS, SECTIONS, load, parse, read_text
from commscaffoldd.config.schema import Config, Listen
from commscaffoldd.core.layout import LayoutSpec

FILE = Path("/somewhere/etc/commscaffoldd.toml")


def errors_of(text: str) -> list[str]:
    """What is wrong with a configuration, each error without the file's name."""
    with pytest.raises(ConfigErrors) as caught:
        parse(text, FILE)
    return [str(error).removeprefix(f"{FILE}:") for error in caught.value.errors]


def only_error_of(text: str) -> str:
    found = errors_of(text)
    assert len(found) == 1, found
    return found[0]


def test_an_empty_file_gives_every_default() -> None:
    config = parse("", FILE)
    assert config.listen == (Listen(),)
    assert config.connections.max == 10000
    assert config.path == FILE
    assert config.plugin == {}


def test_values_of_every_kind_are_read() -> None:
    config = parse(
        """
        [daemon]
        workers = 3
        run_dir = "/with a space"
        stop_timeout = 5            # an integer where a number is allowed
        [log]
        level = "debug"
        [[listen]]
        address = "[::1]:9000"
        [[listen]]
        address = "127.0.0.1:9001"
        layout = "mine"
        accept = "mutex"
        [layout.mine]
        fields = ["magic:u16=0xCAFE", "length:u24", "id:u16"]
        [plugin.account]
        database = "/tmp/x.db"
        since = 2026-01-01
        bounds = [-9223372036854775808, 9223372036854775807]
        """,
        FILE,
    )
    assert (config.daemon.workers, config.daemon.stop_timeout, config.log.level) == (3, 5.0, "debug")
    assert [listen.accept for listen in config.listen] == ["exclusive", "mutex"]
    assert config.layout_of(config.listen[0]).name == "standard"
    assert config.layout_of(config.listen[1]).header_size == 7
    assert config.plugin["account"]["database"] == "/tmp/x.db"


def test_relative_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    config = parse(
        """
        listen = [{ address = "unix:run/x.sock" }]
        daemon.run_dir = "../run"
        log.file = "../logs/x.log"
        plugins.path = ["../plugins", "/opt/p"]
        """,
        tmp_path / "etc" / "x.toml",
    )
    assert config.daemon.run_dir == str(tmp_path / "run")
    assert config.pidfile == tmp_path / "run" / "commscaffoldd.pid"
    assert config.log.file == str(tmp_path / "logs" / "x.log")
    assert config.plugins.path == (str(tmp_path / "plugins"), "/opt/p")
    assert config.listen[0].address == f"unix:{tmp_path}/etc/run/x.sock"


def test_all_errors_are_listed_in_the_order_of_the_file() -> None:
    found = errors_of(
        """
        [flood]
        rate = 0
        [daemon]
        workers = 2000
        colour = "red"
        [[listen]]
        backlog = "many"
        """
    )
    assert found == [
        "3: flood.rate: found 0; allowed: a number above 0 and at most 1000000000",
        "5: daemon.workers: found 2000; allowed: an integer from 0 to 1024",
        (
            "6: daemon.colour: unknown key; allowed: workers, run_dir, user, group, stop_timeout, start_timeout, "
            "handover_timeout, max_messages, max_memory, max_age, recycle_jitter, worker_timeout"
        ),
        '8: listen[0].backlog: found "many"; allowed: an integer from 1 to 65535',
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[daemon]\nworkers = true", "2: daemon.workers: found true; allowed: an integer from 0 to 1024"),
        ("[daemon]\nworkers = 2.0", "2: daemon.workers: found 2.0; allowed: an integer from 0 to 1024"),
        ("[heartbeat]\nenabled = 1", "2: heartbeat.enabled: found 1; allowed: true or false"),
        ("daemon = 7", "1: daemon: found 7; allowed: a table, written [daemon]"),
        ("[[log]]", "1: log: found an array; allowed: a table, written [log]"),
        ("[listen]", "1: listen: found a table; allowed: an array of tables, each one written [[listen]]"),
        ("listen = [1]", "1: listen[0]: found 1; allowed: a table, written [listen[0]]"),
        ("listen = []", "1: listen: found no address to listen at; allowed: at least one [[listen]]"),
        ("layout = 3", "1: layout: found 3; allowed: tables, each one written [layout.NAME]"),
        ("[plugin]\necho = 3", "2: plugin.echo: found 3; allowed: a table, written [plugin.echo]"),
        ("[layout.a]", "1: layout.a: fields is missing; allowed: an array of 1 to 32 elements, "),
        ("[layout.a]\nfields = []", "2: layout.a.fields: found an empty array; allowed: an array of 1 to 32"),
        ('[log]\nfile = "a\\nb"', '2: log.file: found "a\\nb"; allowed: a string without control characters'),
        ("[frame]\ntimeout = nan", "2: frame.timeout: found nan; allowed: a number above 0 and at most"),
        ("[frame]\ntimeout = inf", "2: frame.timeout: found inf; allowed: a number above 0 and at most"),
        ("[frame]\nmax_body = 0x" + "f" * 9999, "2: frame.max_body: found an integer of 39996 bits; allowed"),
        ("[plugins]\npath = ['a', 1]", "2: plugins.path[1]: found 1; allowed: a string"),
        (
            "[plugin.x]\ny = 9223372036854775808",
            "2: plugin.x.y: found 9223372036854775808; allowed: integers",
        ),
    ],
)
def test_a_wrong_type_or_value_says_what_was_found_and_what_is_allowed(text: str, error: str) -> None:
    assert only_error_of(text).startswith(error)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[daemon]\nworkres = 2", 'unknown key; did you mean "workers"?'),
        ("[bussiness]", 'unknown key; did you mean "business"?'),
        ("max_body = 2", "unknown key; did you mean frame.max_body?"),
        ("[daemon]\nmax_body = 2", "unknown key; did you mean frame.max_body?"),
        ("[plugins.account]\nx = 1", "unknown key; did you mean [plugin.account]?"),
        ("[plugin]\npath = ['x']", "did you mean [plugins]?"),
        ("[log]\nlevel = 'warn'", 'did you mean "warning"?'),
        ("[[listen]]\nlayout = 'compat'", 'did you mean "compact"?'),
    ],
)
def test_a_slip_is_answered_with_what_was_probably_meant(text: str, hint: str) -> None:
    assert only_error_of(text).endswith(hint)


def test_every_known_key_is_the_meaning_of_its_own_slip() -> None:
    for section, kind in SECTIONS.items():
        for key in structs.fields(kind):
            assert f'did you mean "{key.name}"?' in only_error_of(f"[{section}]\n{key.name}x = 1")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a = 1\nb = \nc = 3", "2: not valid TOML: "),
        ("a = 1\nb = '''", "2: not valid TOML: "),
        ("a = 1\na = 2", "2: not valid TOML: "),
        ("\0", "1: not valid TOML: "),
        ("[daemon", "1: not valid TOML: "),
        ("\n\na = 2024-13-45\n", "3: not valid TOML: "),
    ],
)
def test_text_that_is_not_toml_is_an_error_with_its_line(text: str, error: str) -> None:
    assert only_error_of(text).startswith(error)


@pytest.mark.parametrize("text", ["a = " + "[" * 9999, "a = " + "9" * 9999, "a." * 9999 + "a = 1"])
def test_text_that_breaks_parsers_is_an_error_like_any_other(text: str) -> None:
    assert len(errors_of(text)) == 1


def test_plugin_settings_without_end_are_refused() -> None:
    assert "nested deeper than 64" in only_error_of("[plugin.x]\n" + "a." * 900 + "a = 1")


def test_files_that_cannot_be_read_are_errors_that_name_them(tmp_path: Path) -> None:
    fifo, big, latin = tmp_path / "fifo", tmp_path / "big", tmp_path / "latin"
    os.mkfifo(fifo)
    big.write_bytes(b"#" * (MAX_FILE_SIZE + 1))
    latin.write_bytes("a = 1\nname = 'Zürich'".encode("latin-1"))
    for path, problem in (
        (tmp_path, "cannot be read: Is a directory"),
        (fifo, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (big, f"larger than {MAX_FILE_SIZE} bytes"),
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (big / "below", "cannot be read: Not a directory"),
        (Path("a" * 9999), "cannot be read: File name too long"),
        (Path("a\0b"), "cannot be read: embedded null byte"),
        (latin, "byte 0xfc is not UTF-8; allowed: TOML, which is always UTF-8"),
    ):
        with pytest.raises(ConfigErrors) as caught:
            load(path)
        assert str(caught.value).endswith(problem)
        assert "\0" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(ConfigErrors, match="cannot be read: Permission denied"):
        load(path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf[daemon]\r\nworkers = 2\r\n")
    assert load(path).daemon.workers == 2
    assert read_text(path).startswith("[daemon]")


def test_the_file_is_absolute_in_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.toml").write_text("[plugins]\npath = ['p']")
    monkeypatch.chdir(tmp_path)
    config = load(Path("x.toml"))
    assert config.path == tmp_path / "x.toml"
    assert config.plugins.path == (str(tmp_path / "p"),)


SCALARS = st.one_of(
    st.text(max_size=30),
    st.booleans(),
    st.integers(min_value=-(1 << 70), max_value=1 << 70),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.sampled_from(["standard", "mutex", "unix:x", "localhost:9000", "length:u32", "id:u16", "", "info"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


def tables_of(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    names = [key.name for key in structs.fields(kind)]
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=8), VALUES, max_size=6)


DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        **{name: tables_of(kind) | VALUES for name, kind in SECTIONS.items()},
        "listen": st.lists(tables_of(Listen) | VALUES, max_size=3) | VALUES,
        "layout": st.dictionaries(st.text(max_size=8), tables_of(LayoutSpec) | VALUES, max_size=3) | VALUES,
        "plugin": st.dictionaries(st.text(max_size=8), VALUES, max_size=3) | VALUES,
    },
)


def errors_or_none(text: str) -> ConfigErrors | None:
    try:
        config = parse(text, FILE)
    except ConfigErrors as errors:
        return errors
    assert isinstance(config, Config)
    return None


@settings(max_examples=300, deadline=None)
@given(document=DOCUMENTS)
def test_any_table_gives_a_configuration_or_errors_of_one_line_each(document: dict[str, Any]) -> None:
    errors = errors_or_none(tomli_w.dumps(document))
    if errors is not None:
        assert 1 <= len(errors.errors) == len(str(errors).splitlines())


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200) | st.text(alphabet="[]{}='\"\\#.\nab1, -", max_size=60))
def test_any_text_gives_a_configuration_or_errors_of_one_line_each(text: str) -> None:
    errors = errors_or_none(text)
    if errors is not None:
        assert 1 <= len(errors.errors) == len(str(errors).splitlines())


def test_the_sections_are_the_schemas() -> None:
    assert {*SECTIONS, *OTHER_SECTIONS} == {key.name for key in structs.fields(Config)} - {"path", "overrides"}


def test_a_file_with_thousands_of_errors_is_read_in_one_pass() -> None:
    assert (
        len(errors_of("[[listen]]\nbacklog = 0\n" * 3000)) == 3000 + 2999
    )  # and each address but the first is taken
