"""What leaves by a socket: encoding an outbox, and sending as much as the socket takes.

Called with the slot's lock held, by the sender or the reactor.
"""

from __future__ import annotations

import socket
from typing import Final

from commscaffoldd.core.counters import Counters
from commscaffoldd.core.slot import Slot

JOIN_BELOW: Final = 65536  # bytes: smaller batches are copied into one piece, larger ones are sent by sendmsg
PIECES: Final = 512  # buffers handed to one sendmsg; IOV_MAX is 1024


def encode_outbox(slot: Slot, counters: Counters) -> None:
    """Turn what waits in the slot's outbox into bytes: one piece, so that one system call sends one batch."""
    endpoint = slot.endpoint
    assert endpoint is not None, "an open slot has an endpoint"
    encode = endpoint.layout.encode
    if len(slot.outbox) == 1:  # by far the most frequent
        slot.chunks.append(encode(*slot.outbox[0]))
        slot.outbox.clear()
        counters.messages_out += 1
        slot.messages_out += 1
        return
    frames = [encode(message_id, sequence, body) for message_id, sequence, body in slot.outbox]
    counters.messages_out += len(frames)
    slot.messages_out += len(frames)
    slot.outbox = []
    if len(frames) > 1 and sum(map(len, frames)) < JOIN_BELOW:
        slot.chunks.append(b"".join(frames))
    else:
        slot.chunks += frames


def send_chunks(slot: Slot, client: socket.socket, counters: Counters) -> bool:
    """Send the slot's chunks as far as the socket takes them.

    Returns:
        Whether all has been sent; if not, the socket is full.

    Raises:
        OSError: the peer has gone.
    """
    chunks = slot.chunks
    if len(chunks) == 1:  # by far the most frequent
        counters.sends += 1
        try:
            sent = client.send(chunks[0])
        except BlockingIOError:
            return False
        counters.bytes_out += sent
        slot.unsent -= sent
        if sent < len(chunks[0]):
            _consume(chunks, sent)
            return False
        chunks.clear()
        return True
    while chunks:
        counters.sends += 1
        try:
            sent = client.sendmsg(chunks[:PIECES])
        except BlockingIOError:
            return False
        counters.bytes_out += sent
        slot.unsent -= sent
        whole = sent == sum(map(len, chunks[:PIECES]))
        _consume(chunks, sent)
        if not whole:
            return False
    return True


def _consume(chunks: list[bytes | memoryview], sent: int) -> None:
    done = 0
    for chunk in chunks:
        if sent < len(chunk):
            break
        sent -= len(chunk)
        done += 1
    del chunks[:done]
    if sent:
        chunks[0] = memoryview(chunks[0])[sent:]
