"""A capture as text, or as a JSON object a line: `capture --show`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from commscaffoldd.capture.errors import CaptureError
from commscaffoldd.capture.filter import CaptureFilter, answered_id, low_ids, peer_matcher
from commscaffoldd.capture.reader import CaptureReader
from commscaffoldd.capture.records import Closed, End, Joined, Known, Lost, Received, Record, Sent
from commscaffoldd.cli.failure import Failure, warn
from commscaffoldd.log.escape import escape

_BODY: Final = 48  # bytes of a body in a line


def show(path: Path, wanted: CaptureFilter, *, as_json: bool) -> None:
    """Print it. Raises Failure if it is no capture, after what could be read."""
    try:
        with CaptureReader(path) as capture:
            if as_json:
                click.echo(json.dumps({"record": "header", **msgspec.to_builtins(_header(capture))}))
            else:
                begun = capture.time_of_day(capture.header.clock)
                click.echo(escape(f"{begun:%Y-%m-%d %H:%M:%S} UTC, {capture.header.filter.describe()}"))
            for connection, record in _passing(capture, wanted):
                if as_json:
                    click.echo(json.dumps(as_object(capture, connection, record)))
                else:
                    click.echo(escape(as_line(capture, connection, record)))
            if note := capture.describe_end():
                warn(note)
    except CaptureError as error:
        raise Failure([str(error)]) from None


def as_line(capture: CaptureReader, known: Known | None, record: Record) -> str:
    """A record as text, its number and the seconds since the capture began before it."""
    seconds = (_time(record) - capture.header.clock) / 1e9
    return f"{capture.number:>6} {seconds:>12.6f} {_text(known, record)}"


def as_object(capture: CaptureReader, known: Known | None, record: Record) -> dict[str, Any]:
    """A record as JSON can say it; a body in base64, and as text if it is UTF-8."""
    found: dict[str, Any] = {"record": type(record).__struct_config__.tag, "number": capture.number}
    found |= {name: value for name, value in msgspec.structs.asdict(record).items() if name != "body"}
    found["at"] = capture.time_of_day(_time(record)).isoformat()
    if isinstance(record, Received | Sent):
        found["peer"], found["listen"] = (known.peer, known.listen) if known is not None else ("", "")
        found["body"] = base64.b64encode(record.body).decode()
        if (text := _utf8(record.body)) is not None:
            found["text"] = text
    return found


def _passing(capture: CaptureReader, wanted: CaptureFilter) -> Iterator[tuple[Known | None, Record]]:
    """The records that pass a filter, each with what is known of its connection."""
    matches, ids, answered = peer_matcher(wanted.peer), frozenset(wanted.ids), low_ids(wanted.ids)
    error_ids = {one.listen: one.error_id for one in capture.header.spoken}
    connections: dict[str, Known] = {}
    for record in capture:
        if isinstance(record, Known):
            connections[record.connection] = record
        known = connections.get(record.connection) if isinstance(record, Known | Closed | Received | Sent) else None
        if known is not None and not matches(known.peer):
            continue
        if isinstance(record, Received) and (wanted.direction == "out" or (ids and record.id not in ids)):
            continue
        if isinstance(record, Sent):
            error_id = error_ids.get(known.listen) if known is not None else None
            if wanted.direction == "in" or (ids and answered_id(record.id, record.body, error_id) not in answered):
                continue
        yield known, record


def _text(known: Known | None, record: Record) -> str:
    if isinstance(record, Received | Sent):
        arrow = ">" if isinstance(record, Received) else "<"
        peer = f" {known.peer}" if known is not None else ""
        head = f"{record.connection}{peer} {arrow} id {record.id} sequence {record.sequence}"
        return f"{head} {len(record.body)} bytes {_body(record.body)}".rstrip()
    text = ""
    match record:
        case Joined():
            text = f"worker {record.worker} (pid {record.pid}) takes part"
        case Known():
            how = "opened" if record.opened else "is there"
            text = f"{record.connection} {how}: {record.peer} on {record.listen}, layout {record.layout}"
        case Closed():
            text = f"{record.connection} closed: {record.reason}"
        case Lost():
            text = f"{record.count} records of worker {record.worker} are missing here"
        case End():
            text = f"end: {record.reason}; {record.messages} messages, {record.lost} lost"
    return text


def _body(body: bytes) -> str:
    text = _utf8(body[:_BODY])
    shown = repr(text) if text is not None and text.isprintable() else body[:_BODY].hex(" ")
    return f"{shown}{'…' if len(body) > _BODY else ''}" if body else ""


def _utf8(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _time(record: Record) -> int:
    return int(getattr(record, "time", 0))


def _header(capture: CaptureReader) -> dict[str, Any]:
    header = capture.header
    return {
        "daemon": header.daemon,
        "started": capture.time_of_day(header.clock),
        "spoken": [msgspec.structs.asdict(one) for one in header.spoken],
        "filter": header.filter,
    }
