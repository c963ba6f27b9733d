"""What both clients make of `on_connect`, and of how it fails."""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

from commscaffoldd.client.errors import ClientError, ConnectionClosed, ErrorReply
from commscaffoldd.client.settings import Settings

logger: Final = logging.getLogger("commscaffoldd.client")


def for_one_connection(settings: Settings) -> Settings:
    """The settings for calls on the new connection alone: there is no other one that a call could be sent to."""
    return dataclasses.replace(settings, reconnect=None)


def too_slow(settings: Settings) -> TimeoutError:
    """It has taken too long."""
    return TimeoutError(f"{settings.address}: on_connect was not done within {settings.seconds_to_connect:g} seconds")


def over(settings: Settings) -> ClientError:
    """What it was given is used after its end."""
    return ClientError(f"{settings.address}: on_connect is over; what it was given works no more: use the client")


def not_the_client(settings: Settings) -> ClientError:
    """The client is used within it."""
    return ClientError(
        f"{settings.address}: within on_connect the client cannot be used, for its calls wait until on_connect is "
        "done; use what on_connect is given"
    )


def failed(settings: Settings, error: BaseException) -> ConnectionClosed:
    """Why the connection is closed when it has raised this."""
    text = str(error).removeprefix(f"{settings.address}: ")
    if not isinstance(error, (ClientError, OSError)):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return ConnectionClosed(f"{settings.address}: on_connect has failed: {text}")


def log_mistake(settings: Settings, error: BaseException) -> None:
    """What the network and the daemon do, states tell; other errors nobody would see, after the first connection."""
    if not isinstance(error, (ClientError, OSError)):
        logger.error("on_connect of the client of %s has failed", settings.address, exc_info=error)


def is_final(error: BaseException) -> bool:
    """Another attempt would be refused as well: the daemon has refused something, and not for want of resources."""
    return isinstance(error, ErrorReply) and not error.transient
