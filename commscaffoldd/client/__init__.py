"""The client library: a small blocking client for every header layout.

from commscaffoldd.client import Client

with Client("127.0.0.1:9000") as client:
    assert client.call(1, b"hello") == b"hello"
"""

from commscaffoldd.client.blocking import Client, Frame
from commscaffoldd.client.errors import ClientError, ConnectionClosed, ErrorReply, FrameError

__all__ = ["Client", "ClientError", "ConnectionClosed", "ErrorReply", "Frame", "FrameError"]
