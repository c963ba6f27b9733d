"""Clients that keep a daemon busy while something happens that they must not notice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.system.daemon import Daemon
from tests.system.load import Load


@contextlib.contextmanager
def crowd(daemon: Daemon, accept: str = "exclusive", **limits: float) -> Iterator[Load]:
    """60 clients that two workers serve; they send as fast as they can, and all have got replies."""
    daemon.configure(
        daemon={"workers": 2, **limits},
        flood={"enabled": False},
        listen=[{"address": daemon.address(), "accept": accept}],
    )
    daemon.start()
    with Load(daemon.address(), talkers=60) as load:
        load.flows()
        yield load


def check(load: Load) -> None:
    """Nobody has noticed anything, and all have got what they asked for."""
    load.finish()
    for talker in load.talkers:
        assert not talker.error, talker.error
        assert not talker.ended
        assert not talker.told
        assert not talker.waiting
