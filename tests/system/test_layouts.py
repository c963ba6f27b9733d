"""All header layouts, served at once by one daemon."""

from __future__ import annotations

import os
import struct
import zlib

import pytest

from commscaffoldd.client.frame_client import FrameClient
from commscaffoldd.core.layout import PRESETS, Layout, LayoutSpec
from tests.system.conftest import NewDaemon
from tests.system.daemon import Daemon
from tests.system.raw import Raw

pytestmark = pytest.mark.usefixtures("each_engine")

FIELDS = ["magic:u16=0xCAFE", "length:u24", "id:u16", "sequence:u32", "skip:u8", "crc32:u32"]
MINE = {
    "fields": FIELDS,
    "byte_order": "little",
    "length_counts": "frame",
    "length_adjustment": 2,
}
NAMES = [*PRESETS, "mine"]
BODIES = [b"", b"hello", bytes(range(256)), os.urandom(30_000)]

HELLO = b"HELLO"
CRC = struct.pack(">I", zlib.crc32(HELLO))
FRAMES = {
    "standard": b"\0\0\0\5\0\0\0\2\0\0\0\7" + CRC + HELLO,
    "compact": b"\0\x0d\0\2" + CRC + HELLO,
    "zinx": b"\0\0\0\2\0\0\0\5" + HELLO,
    "zinx-ltv": b"\5\0\0\0\2\0\0\0" + HELLO,
    "workerman": b"\0\0\0\x09" + HELLO,
    "erlang": b"\0\0\0\5" + HELLO,
    # 16 bytes of header and 5 of body are 21, of which the length leaves out the 2 that are added to it
    "mine": b"\xfe\xca\x13\0\0\2\0\7\0\0\0\0" + CRC[::-1] + HELLO,
}


def layout(name: str) -> Layout:
    if name in PRESETS:
        return PRESETS[name]
    return Layout.from_spec(
        "mine",
        LayoutSpec(fields=tuple(FIELDS), byte_order="little", length_counts="frame", length_adjustment=2),
    )


@pytest.fixture(scope="module")
def daemon(new_shared_daemon: NewDaemon, each_engine: str) -> Daemon:
    assert each_engine
    made = new_shared_daemon()
    addresses = [made.free_address() for _ in NAMES]
    tcp = [{"address": address, "layout": name} for address, name in zip(addresses, NAMES, strict=True)]
    unix = [{"address": made.unix_address(f"{name}.sock"), "layout": name} for name in NAMES]
    made.configure(daemon={"workers": 2}, listen=tcp + unix, layout={"mine": MINE})
    made.start()
    return made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_echo(daemon: Daemon, name: str, kind: str) -> None:
    with FrameClient(daemon.address(NAMES.index(name) + (7 if kind == "unix" else 0)), layout(name), 15.0) as client:
        for body in BODIES:
            assert client.call(1, body) == body
        if client.layout.has_id:
            for body in BODIES:
                assert client.call(2, body) == body


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_on_the_wire(daemon: Daemon, name: str) -> None:
    """A handmade frame comes back as it is, also in single bytes."""
    frame = FRAMES[name]
    with Raw(daemon.address(NAMES.index(name))) as client:
        client.send(frame)
        assert client.receive_exactly(len(frame)) == frame
        for byte in frame:
            client.send(bytes([byte]))
        assert client.receive_exactly(len(frame)) == frame
        client.send(frame * 10)
        assert client.receive_exactly(len(frame) * 10) == frame * 10


@pytest.mark.parametrize("name", [name for name in NAMES if layout(name).has_id])
def test_a_heartbeat_is_answered_with_itself(daemon: Daemon, name: str) -> None:
    with FrameClient(daemon.address(NAMES.index(name)), layout(name), 15.0) as client:
        client.send(0)
        reply = client.receive()
        assert (reply.id, reply.body) == (0, b"")


@pytest.mark.parametrize("name", ["compact", "zinx", "erlang"])
def test_the_largest_body_of_each_layout(daemon: Daemon, name: str) -> None:
    known = layout(name)
    size = min(known.max_body, 1 << 20)
    with FrameClient(daemon.address(NAMES.index(name)), known, 30.0) as client:
        body = b"x" * size
        assert client.call(1, body) == body


def test_call_finds_the_layout_in_the_configuration(daemon: Daemon) -> None:
    for name in ("compact", "mine"):
        done = daemon.command("call", daemon.address(NAMES.index(name)), "1", "hello")
        assert (done.code, done.out) == (0, "hello"), done.err
