"""What handlers see in a rehearsal in place of clients: connections that come from nowhere, and lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from commscaffoldd.capture.recording import RecordedConnection, layout_of
from commscaffoldd.capture.records import Spoken
from commscaffoldd.core.endpoint import Endpoint
from commscaffoldd.worker.socketless.connection import SocketlessConnection


def stage(
    recorded: RecordedConnection, endpoints: Mapping[str, Endpoint], spoken: Mapping[str, Spoken]
) -> SocketlessConnection:
    """A connection like the recorded one, to the listener that is configured now, if there is one.

    Args:
        recorded: what it is like.
        endpoints: by configured address.
        spoken: what was spoken at the listeners then.
    """
    now = endpoints.get(recorded.listen)
    layout = now.layout if now is not None else layout_of(recorded, spoken)
    default_id = now.default_id if now is not None else 1
    return SocketlessConnection(recorded.id, recorded.peer, recorded.listen, layout, default_id)
