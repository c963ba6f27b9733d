"""`commscaffoldd dissector`."""

from __future__ import annotations

from pathlib import Path

import click

from commscaffoldd.catalogue.wireshark.dissector import wireshark_dissector
from commscaffoldd.cli.catalogue import output_option, read_catalogue, write_output
from commscaffoldd.cli.examples import examples
from commscaffoldd.cli.options import config_option


@click.command(
    epilog=examples(
        "commscaffoldd dissector -o commscaffoldd.lua",
        "tshark -i lo -f 'tcp port 9000' -X lua_script:commscaffoldd.lua",
        "tshark -r dump.pcap -X lua_script:commscaffoldd.lua -Y 'commscaffoldd.error.code == 3'",
    )
)
@config_option
@output_option
def dissector(config_file: str | None, *, output: Path | None) -> None:
    """Write a Wireshark dissector, in Lua, for the configured ports and header layouts.

    It shows each frame's header, the message's name and plugin, error replies, and bodies of MessagePack, JSON and
    text. Where to filter: `commscaffoldd.id`, `.sequence`, `.message`, `.kind` (request, reply, push, error reply,
    heartbeat, go away), `.error.code`, `.crc32.good`. A listener without a TCP port is found under "Decode As...".
    """
    write_output(wireshark_dissector(read_catalogue(config_file)), output)
