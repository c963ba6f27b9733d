from __future__ import annotations

from benchmarks.suite.servers import SERVERS
from benchmarks.suite.targets import PEERS, TARGETS, Target
from tests.benchmarks.runs import idle, results, rounds


def target(text: str) -> Target:
    return next(one for one in TARGETS if one.text.startswith(text))


def test_a_ratio_of_rates_is_reached_or_missed() -> None:
    pooled = target("50x1x64B: native-pool to uvloop")

    assert pooled.reached(results(*rounds("uvloop", [100.0]), *rounds("native-pool", [100.0]))) is True
    assert pooled.reached(results(*rounds("uvloop", [100.0]), *rounds("native-pool", [99.0]))) is False


def test_what_was_not_measured_is_neither() -> None:
    assert target("50x1x64B: native-pool to uvloop").reached(results(*rounds("uvloop", [100.0]))) is None


def test_memory_is_at_most_so_much_and_less_than_the_smallest_peer() -> None:
    small = results(idle("twisted", 1250.0), idle("gevent", 9000.0), idle("native-pool", 900.0))
    large = results(idle("twisted", 1250.0), idle("gevent", 9000.0), idle("native-pool", 1300.0))

    for text in ("idle: memory", "idle: the same to the smallest"):
        assert target(text).reached(small) is True
        assert target(text).reached(large) is False


def test_a_lower_p99_is_better() -> None:
    quicker = target("beside: p99")

    assert not quicker.at_least
    same = results(*rounds("uvloop", [1.0], "beside"), *rounds("native-pool", [1.0], "beside"))
    assert quicker.reached(same) is False


def test_the_peers_of_the_memory_target_are_servers() -> None:
    assert set(PEERS) <= {server.name for server in SERVERS}
