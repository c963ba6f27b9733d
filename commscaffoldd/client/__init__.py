"""The client library, for every header layout.

from commscaffoldd.client import Client

with Client("127.0.0.1:9000") as client:
    assert client.call(1, b"hello") == b"hello"

`Client` is for threads, `AsyncClient` for asyncio; `FrameClient` works frame by frame. docs/client.md is the guide.
"""

from commscaffoldd.client.async_caller import AsyncCaller
from commscaffoldd.client.asynchronous import AsyncClient
from commscaffoldd.client.backoff import Reconnect
from commscaffoldd.client.blocking import Client
from commscaffoldd.client.caller import Caller
from commscaffoldd.client.conversation import Push
from commscaffoldd.client.errors import (
    BadReply,
    ClientError,
    ConnectionClosed,
    ErrorReply,
    FrameError,
    NotHandled,
    StreamOverrun,
)
from commscaffoldd.client.frame_client import Frame, FrameClient
from commscaffoldd.client.settings import StateChange

__all__ = [
    "AsyncCaller",
    "AsyncClient",
    "BadReply",
    "Caller",
    "Client",
    "ClientError",
    "ConnectionClosed",
    "ErrorReply",
    "Frame",
    "FrameClient",
    "FrameError",
    "NotHandled",
    "Push",
    "Reconnect",
    "StateChange",
    "StreamOverrun",
]
