"""The login gate: what stands before the handlers of messages that are only for clients who have logged in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from commscaffoldd.core.endpoint import REFUSED
from commscaffoldd.core.refusal import Refusal


def login_first(message_id: int) -> str:
    """The text for a message from a client who has not logged in."""
    return f"message ID {message_id} needs a login: log in first"


def behind_login(function: Callable[[Any], object]) -> Callable[[Any], object]:
    """A bound handler that is only asked for connections with which somebody has logged in.

    It stands in the connection's order, where the handler would: so the message behind a login finds it done. To
    be the outermost layer; a plain function, also around an async one, whose refusals so cost no task.

    Args:
        function: takes the request alone; whatever it returns is returned.
    """

    @functools.wraps(function)  # who looks for the handler's own code finds it
    def gate(request: Any) -> object:  # noqa: ANN401  # each engine has its own
        if request.connection.user is None:
            return Refusal(REFUSED, login_first(request.id), counted_as="login_refusals")
        return function(request)

    return gate
