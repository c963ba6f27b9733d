"""What the running daemon says of its messages: names for completion, types for conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from commscaffoldd.cli.daemon import ANSWER_TIMEOUT
from commscaffoldd.cli.speech import daemon_at
from commscaffoldd.cli.typed.body import BodyType
from commscaffoldd.core.address import Address
from commscaffoldd.master import control_client
from commscaffoldd.master.control_client import ControlTimeout, NotPermitted, NotRunning


class KnownMessage(NamedTuple):
    """A message ID that the daemon handles.

    Attributes:
        name: of the handler.
        plugin: whose it is.
        doc: the first line of the handler's docstring.
        body: what it takes; `None` if the daemon does not tell.
        reply: what it answers; the same.
    """

    id: int
    name: str
    plugin: str
    doc: str = ""
    body: BodyType | None = None
    reply: BodyType | None = None


def known_messages(address: Address, config_file: str | None) -> dict[int, KnownMessage]:
    """By message ID; empty if no daemon of a configuration at hand listens at this address, or it does not answer."""
    config = daemon_at(address, config_file)
    if config is None:
        return {}
    try:
        answer = control_client.request(config.control_socket, {"command": "routes"}, ANSWER_TIMEOUT, lambda _: None)
    except (NotRunning, NotPermitted, ControlTimeout):
        return {}
    return {int(row["id"]): _message(row) for row in answer.get("routes") or ()}


def _message(row: Mapping[str, Any]) -> KnownMessage:
    return KnownMessage(
        id=int(row["id"]),
        name=str(row["function"]).rpartition(".")[2],
        plugin=str(row["plugin"]),
        doc=str(row.get("doc") or "").strip().partition("\n")[0],
        body=_type(row.get("body")),
        reply=_type(row.get("reply")),
    )


def _type(found: Mapping[str, Any] | None) -> BodyType | None:
    return BodyType(str(found["format"]), found.get("schema")) if found and found.get("format") else None
