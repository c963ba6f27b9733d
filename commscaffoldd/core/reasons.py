"""Why a connection ends: one short phrase each, as hooks get it and the log shows it."""

from __future__ import annotations

from typing import Final

PEER_CLOSED: Final = "closed by peer"
PEER_RESET: Final = "reset by peer"
BAD_FRAME: Final = "bad frame"
BAD_CHECKSUM: Final = "bad checksum"
UNKNOWN_ID: Final = "unknown message ID"
FRAME_TIMEOUT: Final = "frame timeout"
SLOW_READER: Final = "slow reader"
FLOOD: Final = "flood"
SILENT: Final = "silent"
LOGIN_TIMEOUT: Final = "login timeout"
STOPPING: Final = "stopping"
PLUGIN: Final = "closed by plugin"

MISBEHAVIOUR: Final = frozenset({BAD_FRAME, BAD_CHECKSUM, UNKNOWN_ID, FRAME_TIMEOUT, SLOW_READER, FLOOD})
"""Reasons that are logged as a warning, with the peer."""

COUNTED_AS: Final = {
    BAD_FRAME: "bad_frames",
    BAD_CHECKSUM: "bad_checksums",
    FRAME_TIMEOUT: "frame_timeouts",
    SLOW_READER: "slow_readers",
    FLOOD: "floods",
    SILENT: "silent_peers",
    LOGIN_TIMEOUT: "login_timeouts",
}
"""The counter of each reason that has one."""
