"""What a replay has found, for people and for programs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

from commscaffoldd.cli.table import pairs
from commscaffoldd.cli.units import counted, number
from commscaffoldd.client.errors import MEANINGS
from commscaffoldd.client.replay_plan import Difference, ReplayPlan, ReplayResult

SHOWN: Final = 10  # differences and failures in the text
_BODY: Final = 32  # bytes of a body in a line


def describe(plan: ReplayPlan, result: ReplayResult, *, check: bool) -> list[str]:
    """The summary, in lines."""
    speed = f"speed {plan.speed:g}" if plan.speed else "full speed"
    rows = [
        (
            "connections",
            f"{number(result.connections)}{f', {number(result.failed)} failed' if result.failed else ''}",
        ),
        ("messages", f"{number(result.messages)} of {number(plan.recording.messages)}"),
        ("replies", number(result.replies)),
        *(("" if index else "error replies", text) for index, text in enumerate(_errors(result))),
        ("pushes", number(result.pushes)),
    ]
    if check:
        rows += [("different", number(result.different)), ("missing", number(result.missing))]
    lines = [
        f"{plan.address}: layout {plan.layout.name}, {plan.recording.path} at {speed}, {result.seconds:.2f} s",
        *pairs(rows),
        *_first(result.failures, result.failed, "failure"),
    ]
    if check:
        lines += _first(list(map(_difference, result.differences)), result.different + result.missing, "difference")
    return lines


def as_object(result: ReplayResult, *, check: bool) -> dict[str, Any]:
    """The result as JSON can say it; bodies in base64."""
    found: dict[str, Any] = {
        "connections": result.connections,
        "failed": result.failed,
        "failures": result.failures,
        "messages": result.messages,
        "replies": result.replies,
        "pushes": result.pushes,
        "errors": {str(code): count for code, count in sorted(result.errors.items())},
        "recorded_errors": result.recorded_errors,
        "seconds": round(result.seconds, 6),
        "interrupted": result.interrupted,
    }
    if check:
        found |= {
            "different": result.different,
            "missing": result.missing,
            "differences": [
                {
                    "record": one.record,
                    "connection": one.connection,
                    "id": one.id,
                    "sequence": one.sequence,
                    "recorded": [base64.b64encode(body).decode() for body in one.recorded],
                    "got": [base64.b64encode(body).decode() for body in one.got],
                }
                for one in result.differences
            ],
        }
    return found


def _errors(result: ReplayResult) -> Iterator[str]:
    recorded = f" ({number(result.recorded_errors)} in the capture)"
    yield f"{number(sum(result.errors.values()))}{recorded}"
    for code, count in sorted(result.errors.items()):
        yield f"{number(count)} of code {code} ({MEANINGS.get(code, 'of a plugin')})"


def _first(texts: list[str], count: int, noun: str) -> list[str]:
    more = [f"and {counted(count - SHOWN, f'more {noun}')}"] if count > SHOWN else []
    return texts[:SHOWN] + more


def _difference(one: Difference) -> str:
    head = f"record {one.record} (connection {one.connection}, id {one.id}, sequence {one.sequence})"
    return f"{head}: recorded {_bodies(one.recorded)}, now {_bodies(one.got)}"


def _bodies(bodies: tuple[bytes, ...]) -> str:
    return " and ".join(map(_body, bodies)) or "nothing"


def _body(body: bytes) -> str:
    part, more = body[:_BODY], "…" if len(body) > _BODY else ""
    try:
        text = part.decode()
    except UnicodeDecodeError:
        text = ""
    return f"{text!r}{more}" if text.isprintable() and (text or not body) else f"{part.hex(' ')}{more}"
