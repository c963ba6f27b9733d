"""The Wireshark dissector, run by tshark on captures that are written here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commscaffoldd.catalogue.layouts import restore_layout
from commscaffoldd.catalogue.wireshark.dissector import quoted, wireshark_dissector
from commscaffoldd.core.endpoint import encode_error
from commscaffoldd.core.layout import Layout, LayoutSpec
from tests.catalogue.clients.hostile import HANDLERS as HOSTILE
from tests.catalogue.sample import MINE, sample
from tests.wireshark_tools import dissect, needs_tshark, summaries, write_pcap

GREETING = msgspec.msgpack.encode({"name": "Ann", "times": 2})
WIDE = Layout("wide", LayoutSpec(fields=("id:u64", "length:u32", "sequence:u8")))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "protocol.lua"
    path.write_text(wireshark_dissector(sample()))
    return path


def values(packets: list[dict[str, Any]], field: str) -> list[str]:
    return [value for packet in packets for value in packet.get(field, ())]


@needs_tshark
def test_header_message_and_body_of_requests_and_replies(tmp_path: Path, script: Path) -> None:
    standard = restore_layout(sample().layout("standard"))
    answer = msgspec.msgpack.encode({"text": "hello"})
    segments = [(True, standard.encode(10, 7, GREETING)), (False, standard.encode(10, 7, answer))]
    write_pcap(tmp_path / "x.pcap", 9000, segments)
    request, reply = dissect(tmp_path / "x.pcap", script, "-Y", "commscaffoldd")
    assert (request["id"], request["sequence"], request["length"]) == (["10"], ["7"], [str(len(GREETING))])
    assert (request["message"], request["plugin"], request["layout"]) == (["greet"], ["sample"], ["standard"])
    assert (request["kind"], reply["kind"]) == (["request"], ["reply"])
    assert request["crc32.good"] in (["1"], [True], ["True"])
    assert request["value"] == ["map of 2", '"Ann"', "2"]
    assert reply["value"] == ["map of 1", '"hello"']
    assert summaries(tmp_path / "x.pcap", script) == ["request greet #7", "reply greet #7"]


@needs_tshark
def test_frames_in_any_pieces(tmp_path: Path, script: Path) -> None:
    mine = restore_layout(sample().layout("mine"))
    stream = b"".join(mine.encode(1, n, b"x" * size) for n, size in enumerate([0, 1, 3000, 10, 0, 70], start=1))
    for size in (1, 7, 1000, 100_000):
        if len(stream) // size > 4000:
            continue
        pieces = [(True, stream[at : at + size]) for at in range(0, len(stream), size)]
        write_pcap(tmp_path / "x.pcap", 9002, pieces)
        packets = dissect(tmp_path / "x.pcap", script, "-Y", "commscaffoldd")
        assert values(packets, "sequence") == ["1", "2", "3", "4", "5", "6"], size
        assert values(packets, "magic") == ["0x000000000000cafe"] * 6


@needs_tshark
def test_what_the_daemon_says_of_itself(tmp_path: Path, script: Path) -> None:
    standard = restore_layout(sample().layout("standard"))
    segments = [
        (True, standard.encode(0, 0, b"")),
        (False, standard.encode(0, 0, b"")),
        (False, standard.encode(2**32 - 1, 9, encode_error(10, 6, "for 2 s"))),
        (False, standard.encode(99, 0, b"news")),
        (False, standard.encode(2**32 - 2, 0, b"")),
    ]
    write_pcap(tmp_path / "x.pcap", 9000, segments)
    assert summaries(tmp_path / "x.pcap", script) == [
        "heartbeat",
        "heartbeat",
        "error 6 (quarantined): for 2 s #9",
        "push message 99",
        "go away",
    ]
    (error,) = dissect(tmp_path / "x.pcap", script, "-Y", "commscaffoldd.error.code == 6")
    assert (error["error.id"], error["error.code"], error["error.text"]) == (["10"], ["6"], ["for 2 s"])


@needs_tshark
def test_listeners_of_several_layouts(tmp_path: Path, script: Path) -> None:
    catalogue = sample()
    for listener in catalogue.listeners:
        port = int(listener.address.rpartition(":")[2])
        layout = restore_layout(catalogue.layout(listener.layout))
        write_pcap(tmp_path / "x.pcap", port, [(True, layout.encode(1, 3, b"hello"))])
        (packet,) = dissect(tmp_path / "x.pcap", script, "-Y", "commscaffoldd")
        assert (packet["layout"], packet["message"]) == ([layout.name], ["echo"])
        assert packet["body"] == ["68:65:6c:6c:6f"]


@needs_tshark
def test_bodies_of_other_formats(tmp_path: Path, script: Path) -> None:
    standard = restore_layout(sample().layout("standard"))
    segments = [(True, standard.encode(11, 1, b'{"name": "Ann"}')), (True, standard.encode(12, 2, "tëxt".encode()))]
    write_pcap(tmp_path / "x.pcap", 9000, segments)
    packets = dissect(tmp_path / "x.pcap", script, "-Y", "commscaffoldd")
    assert values(packets, "text") == ['{"name": "Ann"}', "tëxt"]
    assert len(dissect(tmp_path / "x.pcap", script, "-Y", 'json.value.string == "Ann"')) == 1


@needs_tshark
def test_all_that_messagepack_has(tmp_path: Path, script: Path) -> None:
    standard = restore_layout(sample().layout("standard"))
    body = bytes.fromhex(
        "dc0014 00 7f ff e0 cc80 cdffff ceffffffff cfffffffffffffffff d080 d18000 d280000000 d3ffffffffffffffff"
        "c0 c2 c3 cb3ff8000000000000 c403010203 d6ff00000001 d9026869 81a16b90"
    )
    write_pcap(tmp_path / "x.pcap", 9000, [(True, standard.encode(13, 1, body))])
    (packet,) = dissect(tmp_path / "x.pcap", script, "-Y", "commscaffoldd")
    assert packet["value"] == [
        "array of 20",
        *("0", "127", "-1", "-32", "128", "65535", "4294967295", "18446744073709551615"),
        *("-128", "-32768", "-2147483648", "-1", "nil", "false", "true", "1.5", "3 bytes: 010203"),
        *("1970-01-01T00:00:01.000000000Z", '"hi"', "map of 1", "array of 0"),
    ]


@needs_tshark
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bytes.fromhex("ffffffff 00000001 00000001 00000000"), "Not a frame"),
        (bytes.fromhex("00000001 0000000a 00000001 00000000 c1"), "The checksum is wrong"),
        (bytes.fromhex("00000001 0000000a 00000001 4566a5fe c1"), "Not MessagePack"),
        (bytes.fromhex("00000005 0000000a 00000001 00000000 dfffffffff"), "it is cut off"),
        (bytes.fromhex("00000040 0000000a 00000001 00000000") + b"\x91" * 64, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_shown_and_harms_nothing(tmp_path: Path, script: Path, data: bytes, said: str) -> None:
    write_pcap(tmp_path / "x.pcap", 9000, [(True, data)])
    words = ["tshark", "-r", str(tmp_path / "x.pcap"), "-X", f"lua_script:{script}", "-V", "-Y", "commscaffoldd"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=55)
    assert said in done.stdout
    assert "Lua Error" not in done.stdout


@needs_tshark
def test_hostile_names_and_ids_of_64_bits(tmp_path: Path) -> None:
    script = tmp_path / "protocol.lua"
    script.write_text(wireshark_dissector(sample([MINE, WIDE], HOSTILE)))
    data = (
        WIDE.encode(2**64 - 1, 5, encode_error(8, 3, "")) + WIDE.encode(2**64 - 2, 0, b"") + WIDE.encode(8, 6, b"x")
    )
    write_pcap(tmp_path / "x.pcap", 9001, [(False, data)])
    assert summaries(tmp_path / "x.pcap", script) == ["error 3 (handler failed) #5; go away; reply <lambda> #6"]


def test_text_in_lua_ends_where_it_should() -> None:
    assert quoted('a"\\\n\x00é]]--') == '"a\\034\\092\\010\\000\\195\\169]]--"'


def test_the_script_can_be_compiled_by_lua(tmp_path: Path) -> None:
    compiler = next((found for name in ("luac", "luac5.4", "luac5.2") if (found := shutil.which(name))), None)
    if compiler is None:
        pytest.skip("needs Lua's compiler (Debian: apt install lua5.4), which pip and npm do not have")
    script = tmp_path / "protocol.lua"
    script.write_text(wireshark_dissector(sample(handlers=HOSTILE)))
    done = subprocess.run([compiler, "-p", str(script)], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
