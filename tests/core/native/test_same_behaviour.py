"""Both engines, told the same, do the same: frames, closings, counters, states, and every byte that clients get."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings

from commscaffoldd.core import engine_base
from commscaffoldd.core.engine import VARIABLE, why_no_native_engine
from commscaffoldd.core.settings import FrameSettings
from tests.core.engine_rig import engine_rig
from tests.core.native.twin_script import MAX_BODY, PER_CONNECTION, SEND_BUFFER, Player, Step, scripts

pytestmark = pytest.mark.skipif(why_no_native_engine() is not None, reason=str(why_no_native_engine()))

SMALL = 16384  # bytes of the kernel's buffers, so that little of a large reply is taken


@contextmanager
def player(engine: str, family: str, layout: str, on_bad_checksum: str) -> Iterator[Player]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "s"))
        listening = socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        listening.bind(path if family == "unix" else ("127.0.0.1", 0))
        listening.listen(16)

        def connect() -> socket.socket:
            sock = socket.socket(listening.family)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            sock.connect(listening.getsockname())
            if family == "tcp":  # what a client sends in pieces is there at once, and does not wait for an ACK
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return clients.enter_context(sock)

        with (
            ExitStack() as clients,
            listening,
            mock.patch.dict(os.environ, {VARIABLE: engine}),
            mock.patch.object(engine_base, "LINGER", 600.0),  # nothing may depend on time
            engine_rig(
                frame=FrameSettings(max_body=MAX_BODY, timeout=600.0, on_bad_checksum=on_bad_checksum),  # type: ignore[arg-type]
                layout=layout,
                listening=listening,
                per_connection=PER_CONNECTION,
                send_buffer=SEND_BUFFER,
                slow_reader_timeout=600.0,
                recycle_delay=600.0,
            ) as rig,
        ):
            yield Player(rig, connect)


def compare(family: str, layout: str, on_bad_checksum: str, steps: list[Step]) -> None:
    with (
        player("python", family, layout, on_bad_checksum) as python,
        player("native", family, layout, on_bad_checksum) as native,
    ):
        done: list[Step] = []
        for (step, expected), (_, found) in zip(python.play(steps), native.play(steps), strict=True):
            done.append(step)
            assert found == expected, f"after {done}"


@pytest.mark.parametrize(
    ("family", "policy"), [("unix", "close"), ("unix", "drop"), ("tcp", "close"), ("tcp", "drop")]
)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(script=scripts())
def test_the_same_comes_of_the_same(family: str, policy: str, script: tuple[str, list[Step]]) -> None:
    layout, steps = script
    compare(family, layout, policy, steps)
