"""`console` against the real daemon."""

from __future__ import annotations

import subprocess

from tests.system.daemon import PATIENCE, PROGRAM, Daemon
from tests.system.waiting import wait_until

GREET = """
    from commscaffoldd import handler

    @handler(1001)
    def greet(request):
        \"\"\"Greet somebody.\"\"\"
        request.connection.send(77, b"somebody was greeted")
        return b"hello, " + request.body
    """


def test_messages_by_name_pushes_and_the_list_of_ids(daemon: Daemon) -> None:
    daemon.plugin("greet", GREET)
    daemon.start()
    line = [*PROGRAM, "console", daemon.address(), "--config", str(daemon.path)]
    done = subprocess.run(
        line,
        input="ids\ngreet bob\n0\n4711 x\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=daemon.environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")  # nobody handles 4711
    head, echo, inline, greet, *frames = done.stdout.splitlines()
    assert [one.split()[1] for one in (head, echo, inline, greet)] == ["ID", "echo", "echo_inline", "greet"]
    push, reply, heartbeat, error = frames
    assert push == "push     77: somebody was greeted"
    assert reply.endswith(" 1001 greet: hello, bob")
    assert heartbeat.endswith(" 0: (empty)")
    assert "error 1 (unknown message ID)" in error


def test_a_connection_that_says_nothing_is_kept(daemon: Daemon) -> None:
    daemon.configure(heartbeat={"interval": 0.5, "misses": 2})
    daemon.start()
    with subprocess.Popen(
        [*PROGRAM, "console", daemon.address(), "--config", str(daemon.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=daemon.environment(),
    ) as process:
        wait_until(lambda: daemon.gauge("connections") == 1)
        out, _ = process.communicate("wait 2\n1 still here\n", timeout=PATIENCE)
    assert process.returncode == 0
    assert out.endswith(" 1 echo: still here\n")
