"""Unix sockets that an earlier process has left behind."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from commscaffoldd.master.unix_path import bind_unix, remove_stale


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen(1)
    return made


def test_a_socket_that_nobody_answers_on_is_replaced(folder: Path) -> None:
    listening(folder / "s").close()
    with socket.socket(socket.AF_UNIX) as made:
        bind_unix(made, folder / "s")
        made.listen(1)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "s"))


def test_a_socket_that_somebody_listens_on_stays(folder: Path) -> None:
    with listening(folder / "s") as other:
        with socket.socket(socket.AF_UNIX) as made, pytest.raises(OSError, match="in use") as raised:
            bind_unix(made, folder / "s")
        assert raised.value.errno == errno.EADDRINUSE
        assert (folder / "s").is_socket()
        other.accept()[0].close()


def test_something_else_is_never_removed(folder: Path) -> None:
    (folder / "s").write_text("precious")
    with pytest.raises(OSError, match="not a socket"):
        remove_stale(folder / "s")
    assert (folder / "s").read_text() == "precious"


def test_the_mode_holds_from_the_first_moment_and_the_umask_is_put_back(folder: Path) -> None:
    before = os.umask(0o022)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            bind_unix(made, folder / "s", 0o600)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert (folder / "s").stat().st_mode & 0o777 == 0o600
