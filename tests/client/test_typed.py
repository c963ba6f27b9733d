"""Values instead of bytes, with the codecs that the daemon's handlers have."""

from __future__ import annotations

import msgspec
import pytest

from commscaffoldd.client import BadReply
from commscaffoldd.codecs import Format, NoCodecError
from commscaffoldd.core.layout import PRESETS
from tests.client.both import Open, each_client
from tests.client.frame_server import frame_server

pytestmark = each_client
STANDARD = PRESETS["standard"]


class Ask(msgspec.Struct):
    name: str
    times: int = 1


class Answer(msgspec.Struct):
    text: str


@pytest.mark.parametrize("format", ["msgpack", "json"])
def test_structs_there_and_back(connect: Open, format: Format) -> None:  # noqa: A002
    language = msgspec.json if format == "json" else msgspec.msgpack

    def answer(frame: tuple[int, int, bytes]) -> bytes:
        asked: Ask = language.decode(frame[2], type=Ask)
        reply = language.encode(Answer(asked.name * asked.times))
        return STANDARD.encode(frame[0], frame[1], reply) * asked.times

    with frame_server(answer) as server, connect(server.address) as client:
        assert client.call(5, Ask("ann", 2), reply=Answer, format=format) == Answer("annann")
        replies = client.stream(5, Ask("x", 2), reply=Answer, format=format, count=2)
        assert replies == [Answer("xx"), Answer("xx")]
        assert client.call(5, Ask("b"), format=format) == language.encode(Answer("b")), "bytes, unless it says more"
        client.send(5, Ask("nobody", 1), format=format)


def test_text_and_generic_types(connect: Open) -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, connect(server.address) as client:
        assert client.call(5, "grüße", reply=str) == "grüße"
        assert client.call(5, [1, 2], reply=list[int]) == [1, 2]
        assert client.call(5, {"a": 1}) == msgspec.msgpack.encode({"a": 1})


def test_a_reply_of_another_type_says_where_and_why(connect: Open) -> None:
    wrong = msgspec.msgpack.encode({"text": 7})
    with (
        frame_server(lambda f: STANDARD.encode(f.id, f.sequence, wrong)) as server,
        connect(server.address) as client,
        pytest.raises(BadReply, match=rf"^{server.address}: the reply to message ID 5 is no Answer: .*text.*str"),
    ):
        client.call(5, reply=Answer)


def test_what_has_no_codec_is_not_sent(connect: Open) -> None:
    with frame_server(lambda f: STANDARD.encode(*f)) as server, connect(server.address) as client:
        with pytest.raises(NoCodecError):
            client.call(5, object())
        with pytest.raises(NoCodecError):
            client.call(5, reply=bytearray)
        assert client.call(5, b"x") == b"x"
    assert len(server.received) == 1
