"""A batch: all its workers become ready, or none stays."""

from __future__ import annotations

from commscaffoldd.master.batch import Batch, BatchResult
from tests.master.fleet_rig import FleetRig


def test_a_batch_is_done_when_all_are_ready(rig: FleetRig) -> None:
    progress: list[str] = []
    result = rig.batch((1, 2), progress.append)
    assert [worker.slot for worker in result.workers] == [1, 2]
    assert progress == ["1 of 2 workers are ready", "2 of 2 workers are ready"]


def test_a_batch_that_fails_leaves_nobody(rig: FleetRig) -> None:
    rig.source = "say(event='failed', kind='plugin', errors=['one', 'two']); os._exit(3)"
    assert rig.batch((1, 2, 3)) == BatchResult((), ("one", "two"), 78)
    assert rig.fleet.living == []


def test_a_batch_that_cannot_fork_leaves_nobody(rig: FleetRig) -> None:
    results: list[BatchResult] = []
    batch = Batch(rig.fleet, rig.generation, (1, 2), print, results.append)
    rig.failing = [OSError(11, "Resource temporarily unavailable")]
    batch.start()
    assert results[0].errors == ("worker 1 cannot be forked: Resource temporarily unavailable",)
    batch.abort("too late")
    assert len(results) == 1


def test_rows_that_run_out_fail_the_batch_with_the_reason(rig: FleetRig) -> None:
    assert "all 8 rows of the statistics are in use" in rig.batch(range(1, 10)).errors[0]
