"""Captures for tests of the dissector: written by hand, so that tshark alone is needed; and tshark."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

needs_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="needs tshark (Debian: apt install tshark), which pip and npm do not have"
)

_CLIENT: Final = (bytes([192, 0, 2, 1]), 50000)
_SERVER: Final = bytes([192, 0, 2, 2])
_RAW_IPV4: Final = 101  # LINKTYPE_RAW
_SYN, _PSH, _ACK = 2, 8, 16


def write_pcap(path: Path, port: int, segments: Iterable[tuple[bool, bytes]]) -> None:
    """A capture of one TCP connection to a port: segments with whether the client sends them, and their bytes."""
    server = (_SERVER, port)
    sent = {True: 1000, False: 5000}  # next sequence numbers
    packets = [
        _packet(_CLIENT, server, sent[True] - 1, 0, _SYN, b""),
        _packet(server, _CLIENT, sent[False] - 1, sent[True], _SYN | _ACK, b""),
    ]
    for by_client, data in segments:
        ends = (_CLIENT, server) if by_client else (server, _CLIENT)
        packets.append(_packet(*ends, sent[by_client], sent[not by_client], _PSH | _ACK, data))
        sent[by_client] += len(data)
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, _RAW_IPV4)
    records = (struct.pack("<IIII", 1, n, len(one), len(one)) + one for n, one in enumerate(packets))
    path.write_bytes(head + b"".join(records))


def dissect(capture: Path, script: Path, *words: str) -> list[dict[str, Any]]:
    """What tshark makes of a capture's packets: for each the fields of our protocol, by name, as lists of texts."""
    found: list[dict[str, Any]] = []
    for one in json.loads(tshark("-r", str(capture), "-T", "json", "--no-duplicate-keys", *words, script=script)):
        fields: dict[str, list[Any]] = {}
        _gather(one["_source"]["layers"], fields)
        found.append(fields)
    return found


def summaries(capture: Path, script: Path) -> list[str]:
    """The column Info of each packet that has something of ours."""
    words = ("-r", str(capture), "-Y", "commscaffoldd", "-T", "fields", "-e", "_ws.col.Info")
    return tshark(*words, script=script).splitlines()


def tshark(*words: str, script: Path) -> str:
    """Run it; it must not complain about the script."""
    line = ["tshark", "-X", f"lua_script:{script}", *words]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=55, env=environment(script.parent)
    )
    assert done.returncode == 0, done.stderr
    assert "Lua" not in done.stderr.replace("Running as user", ""), done.stderr
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """An environment in which nobody's settings of Wireshark count."""
    return {
        **os.environ,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "WIRESHARK_RUN_FROM_BUILD_DIRECTORY": "",
    }


def _gather(layer: Any, fields: dict[str, list[Any]]) -> None:
    if isinstance(layer, list):
        for one in layer:
            _gather(one, fields)
    elif isinstance(layer, dict):
        for name, value in layer.items():
            if name.startswith("commscaffoldd."):
                values: Sequence[Any] = value if isinstance(value, list) else [value]
                fields.setdefault(name.removeprefix("commscaffoldd."), []).extend(
                    one for one in values if not isinstance(one, dict)
                )
            _gather(value, fields)


def _packet(
    source: tuple[bytes, int], target: tuple[bytes, int], sequence: int, acknowledged: int, flags: int, data: bytes
) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", source[1], target[1], sequence, acknowledged, 5 << 4, flags, 65535, 0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0, source[0], target[0])
    return ip + tcp + data
