"""Which messages a capture is to have."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from commscaffoldd.core.address import Address

Direction: TypeAlias = Literal["in", "out", "both"]
ALLOWED_PEER: Final = "an address (192.0.2.7), a network (192.0.2.0/24), a peer (192.0.2.7:51234), or unix:"

_U32: Final = struct.Struct(">I")
_LOW: Final = 0xFFFFFFFF


class CaptureFilter(Struct, frozen=True, omit_defaults=True):
    """A filter; the default lets everything pass.

    Attributes:
        ids: message IDs; none: all of them. An error reply counts as the ID that it answers.
        peer: whose messages, as `ALLOWED_PEER` says; empty: everybody's.
        direction: `in` what clients have sent, `out` what they are sent.
    """

    ids: tuple[int, ...] = ()
    peer: str = ""
    direction: Direction = "both"

    def describe(self) -> str:
        """In words, for people."""
        parts = [f"ID {', '.join(map(str, self.ids))}"] if self.ids else []
        parts += [f"peer {self.peer}"] if self.peer else []
        parts += [f"direction {self.direction}"] if self.direction != "both" else []
        return "; ".join(parts) or "everything"


def peer_matcher(wanted: str) -> Callable[[str], bool]:
    """A function that says of a peer's address, as connections have it, whether the filter's `peer` means it.

    Raises:
        ValueError: `wanted` is nothing that is allowed.
    """
    if not wanted:
        return lambda _: True
    if wanted == "unix:":
        return lambda peer: peer.startswith("unix:")
    try:
        network = ipaddress.ip_network(wanted, strict=False)
        if network.prefixlen == network.max_prefixlen:
            network = ipaddress.ip_network(_plain(wanted.partition("/")[0]))
    except ValueError:
        return _exactly(wanted)

    def inside(peer: str) -> bool:
        try:
            return _plain(Address.parse(peer).host) in network
        except ValueError:  # a unix socket's
            return False

    return inside


def answered_id(message_id: int, body: bytes, error_id: int | None) -> int:
    """The message ID that a message sent belongs to: its own, or that of the request that an error reply answers."""
    if message_id == error_id and len(body) >= _U32.size:
        return int(_U32.unpack_from(body)[0])
    return message_id


def low_ids(ids: tuple[int, ...]) -> frozenset[int]:
    """The IDs, and what error replies have of them: their low 32 bits."""
    return frozenset(ids) | {one & _LOW for one in ids}


def _exactly(wanted: str) -> Callable[[str], bool]:
    try:
        address = Address.parse(wanted)
        found = _plain(address.host), address.port
    except ValueError:
        raise ValueError(f"{wanted!r} is no peer; allowed: {ALLOWED_PEER}") from None

    def same(peer: str) -> bool:
        try:
            other = Address.parse(peer)
            return (_plain(other.host), other.port) == found
        except ValueError:  # a unix socket's
            return False

    return same


def _plain(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IP address; an IPv4 client's as such, also where a socket of systemd's takes both (::ffff:192.0.2.7)."""
    address = ipaddress.ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
