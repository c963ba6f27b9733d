"""One measurement: a fresh server, a load, what came out."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from benchmarks.suite.launch import Running, StartError, start
from benchmarks.suite.processes import MachineTime, cpu_seconds, open_files, resident_bytes
from benchmarks.suite.results import LoadResult, Run, parse_load
from benchmarks.suite.scenarios import Scenario
from benchmarks.suite.servers import Server

PATIENCE: Final = 60.0  # seconds for what should take a few
SETTLED: Final = 0.2  # seconds without change after which memory counts as settled


class MeasureError(Exception):
    """There is no result; says why in one line."""


class Meter:
    """Makes measurements, all with the same programs and of the same length."""

    def __init__(self, programs: Path, seconds: float, warm_up: float) -> None:
        self._programs = programs
        self._seconds = seconds
        self._warm_up = warm_up

    def run(self, scenario: Scenario, server: Server, round_number: int) -> Run:
        """Start the server, measure, stop it. What goes wrong is part of the answer."""
        run = Run(round=round_number, scenario=scenario.name, server=server.name)
        try:
            with start(server, self._programs) as running:
                if scenario.idle:
                    return replace(run, idle_bytes=self._idle(running, scenario))
                load, others = self._load(running, scenario, server)
        except (StartError, MeasureError, ValueError, OSError) as error:
            return replace(run, failure=str(error))
        failure = f"{load.errors} errors, the first: {load.first_error}" if load.errors else ""
        return replace(run, load=load, others=others, failure=failure)

    def _load(self, running: Running, scenario: Scenario, server: Server) -> tuple[LoadResult, float]:
        pids = running.pids()
        command = [str(self._programs / "load"), "--connections", str(scenario.connections)]
        command += ["--in-flight", str(scenario.in_flight), "--body", str(scenario.body), "--id", str(server.echo_id)]
        command += ["--beside", str(scenario.beside), "--beside-id", str(server.compute_id)]
        command += ["--seconds", str(self._seconds), "--warm-up", str(self._warm_up), "--spin", str(scenario.spin_us)]
        command += [word for pid in pids for word in ("--watch", str(pid))]
        began, server_began, machine_began = time.monotonic(), cpu_seconds(pids), MachineTime.now()
        try:
            done = subprocess.run(
                [*command, "127.0.0.1", str(running.port)],
                capture_output=True,
                timeout=self._seconds + self._warm_up + PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MeasureError("the load generator did not end") from None
        machine, server_used = MachineTime.now(), cpu_seconds(pids) - server_began
        if not done.stdout:
            raise MeasureError(done.stderr.decode().strip() or f"the load generator ended with {done.returncode}")
        load = parse_load(done.stdout)
        elapsed = time.monotonic() - began
        load_share = load.load_cpu_us / 1e6 / load.seconds
        busy = machine.busy - machine_began.busy + machine.stolen - machine_began.stolen
        return load, max(0.0, (busy - server_used) / elapsed - load_share)

    def _idle(self, running: Running, scenario: Scenario) -> float:
        pids = running.pids()
        files, before = open_files(pids), _settled_memory(pids)
        with subprocess.Popen(
            [str(self._programs / "idle"), "127.0.0.1", str(running.port), str(scenario.connections)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as idle:
            assert idle.stdout
            if idle.stdout.readline() != b"ready\n":
                _, errors = idle.communicate(timeout=PATIENCE)
                raise MeasureError(errors.decode().strip())
            deadline = time.monotonic() + PATIENCE
            while (accepted := open_files(pids) - files) < scenario.connections and time.monotonic() < deadline:
                time.sleep(SETTLED)
            after = _settled_memory(pids)
            output, _ = idle.communicate(timeout=PATIENCE)
        closed = json.loads(output)["closed"]
        if accepted < scenario.connections or closed:
            raise MeasureError(f"of {scenario.connections} connections {accepted} were accepted and {closed} closed")
        return (after - before) / scenario.connections


def _settled_memory(pids: list[int]) -> int:
    """Resident memory, once it has stopped to change."""
    deadline = time.monotonic() + PATIENCE
    last = resident_bytes(pids)
    while time.monotonic() < deadline:
        time.sleep(SETTLED)
        if (now := resident_bytes(pids)) == last:
            break
        last = now
    return last
