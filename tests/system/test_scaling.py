"""More and fewer workers, evened out, and replaced when they have served enough: clients stay connected."""

from __future__ import annotations

import pytest

from tests.system.crowd import check
from tests.system.daemon import Daemon
from tests.system.load import Load
from tests.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("each_engine")


def connections(daemon: Daemon) -> list[int]:
    return sorted(one["statistics"]["connections"] for one in daemon.status()["workers"] if one["state"] == "ready")


def test_scaling_up_and_down_disturbs_nobody(daemon: Daemon) -> None:
    daemon.configure(flood={"enabled": False})
    daemon.start()
    with Load(daemon.address(), talkers=60) as load:
        load.flows()
        for count, each in ((3, [20, 20, 20]), (2, [30, 30]), (4, [15, 15, 15, 15]), (1, [60])):
            wait_until(lambda: sum(connections(daemon)) == 60)
            done = daemon.command("scale", str(count))
            assert done.code == 0, done.err
            assert done.out == f"{count} worker{'' if count == 1 else 's'} ready\n"
            load.flows()
            wait_until(lambda each=each: connections(daemon) == each, what=str(each))  # type: ignore[misc]
        check(load)


def test_rebalancing_evens_out(daemon: Daemon) -> None:
    daemon.configure(daemon={"workers": 2}, flood={"enabled": False})
    daemon.start()
    with Load(daemon.address(), talkers=41) as load:
        load.flows()
        wait_until(lambda: sum(connections(daemon)) == 41)
        done = daemon.command("rebalance")
        assert done.code == 0, done.err
        assert "moved" in done.out
        wait_until(lambda: connections(daemon) == [20, 21])
        assert daemon.command("rebalance").out == "0 connections moved\n"
        load.flows()
        check(load)


@pytest.mark.parametrize("limit", [{"max_messages": 3000}, {"max_age": 1.0}, {"max_memory": 1 << 20}])
def test_workers_that_have_served_enough_are_replaced(daemon: Daemon, limit: dict[str, float]) -> None:
    daemon.configure(daemon={"workers": 2, **limit}, flood={"enabled": False})
    daemon.start()
    with Load(daemon.address(), talkers=20) as load:
        load.flows()
        (key,) = limit
        wait_until(lambda: len(daemon.log_lines("is replaced", key)) >= 3)
        load.flows()
        check(load)
    assert daemon.status()["restarts"]["count"] == 0


@pytest.mark.parametrize("words", [["0"], ["1025"], ["many"], []])
def test_a_number_of_workers_that_cannot_be(daemon: Daemon, words: list[str]) -> None:
    daemon.start()
    done = daemon.command("scale", *words)
    assert done.code == 2
    assert "WORKERS" in done.err
    assert len(daemon.ready()) == 1
