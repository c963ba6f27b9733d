"""uvloop with the very same `asyncio.Protocol` as asyncio: the yardstick."""

from __future__ import annotations

import uvloop

from benchmarks.servers.protocol import serve

if __name__ == "__main__":
    uvloop.run(serve())
