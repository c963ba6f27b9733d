"""The client library: a client that works frame by frame, for every header layout.

from commscaffoldd.client import FrameClient

with FrameClient("127.0.0.1:9000") as client:
    assert client.call(1, b"hello") == b"hello"
"""

from commscaffoldd.client.errors import ClientError, ConnectionClosed, ErrorReply, FrameError
from commscaffoldd.client.frame_client import Frame, FrameClient

__all__ = ["ClientError", "ConnectionClosed", "ErrorReply", "Frame", "FrameClient", "FrameError"]
