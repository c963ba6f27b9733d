"""Silent peers, and those that send too much."""

from __future__ import annotations

import time

import pytest

from commscaffoldd.client.frame_client import Frame, FrameClient
from tests.system.daemon import Daemon
from tests.system.raw import Raw, frame
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")

HEARTBEAT = frame(0, sequence=0)


def test_a_silent_peer_is_closed_and_one_that_sends_heartbeats_is_not(daemon: Daemon) -> None:
    daemon.configure(heartbeat={"interval": 0.3, "misses": 3}, log={"level": "debug"})
    daemon.start()
    with Raw(daemon.address()) as silent, Raw(daemon.address()) as alive, Raw(daemon.address()) as talking:
        began = time.monotonic()
        for client in (silent, alive, talking):
            client.send(HEARTBEAT)
            assert client.receive_exactly(len(HEARTBEAT)) == HEARTBEAT
        while time.monotonic() - began < 2.4:
            alive.send(HEARTBEAT)
            assert alive.receive_exactly(len(HEARTBEAT)) == HEARTBEAT
            talking.send(frame(1, b"x"))
            assert talking.receive_exactly(17) == frame(1, b"x")
            time.sleep(0.1)  # the pace of heartbeats
            if daemon.count("silent_peers"):
                assert time.monotonic() - began > 0.8
        assert silent.receive_all() == b""
        assert daemon.log_lines(f"closed {silent.name}: silent")
        assert daemon.settled("silent_peers") == 1
        assert daemon.gauge("connections") == 2


def test_a_peer_that_waits_for_a_long_handler_sends_heartbeats_meanwhile(daemon: Daemon) -> None:
    daemon.plugin(
        "slow",
        """
        import time
        from commscaffoldd import handler

        @handler(7)
        def slow(request):
            time.sleep(1.5)
            return b"done"
        """,
    )
    daemon.configure(heartbeat={"interval": 0.25, "misses": 2})
    daemon.start()
    with daemon.connect() as client:
        client.send(7)
        answers = 0
        while (reply := beat(client)).id == 0:
            answers += 1
        assert reply.body == b"done"
        assert answers >= 3
    assert daemon.settled("silent_peers") == 0


def beat(client: FrameClient) -> Frame:
    """Send a heartbeat, and give what comes next."""
    time.sleep(0.1)  # the pace of heartbeats
    client.send(0)
    return client.receive()


def test_without_a_watchdog_nobody_is_silent_too_long(daemon: Daemon) -> None:
    daemon.configure(heartbeat={"enabled": False, "interval": 0.1, "misses": 1})
    daemon.start()
    with daemon.connect() as client:
        client.call(1, b"x")
        time.sleep(0.6)  # the absence of something cannot be awaited
        assert client.call(1, b"x") == b"x"


def test_a_flood_ends_one_connection_and_disturbs_no_other(daemon: Daemon) -> None:
    daemon.configure(flood={"rate": 50, "burst": 100})
    daemon.start()
    with Raw(daemon.address()) as flooding, daemon.connect() as other:
        other.call(1, b"x")
        flooding.send(frame(1, b"x") * 101)
        flooding.receive_all()
        assert other.call(1, b"x") == b"x"
        wait_until(lambda: daemon.count("floods") == 1)
        assert len(daemon.log_lines("WARNING", flooding.name, "flood")) == 1


def test_without_flood_detection_nobody_is_closed(daemon: Daemon) -> None:
    daemon.configure(flood={"enabled": False, "rate": 1, "burst": 1})
    daemon.start()
    with Raw(daemon.address()) as client:
        client.send(frame(1, b"x") * 2000)
        assert client.receive_exactly(17 * 2000) == frame(1, b"x") * 2000
