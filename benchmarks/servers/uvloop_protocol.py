"""The very same `asyncio.Protocol` on uvloop: the yardstick."""

from __future__ import annotations

import uvloop

from benchmarks.servers.asyncio_protocol import serve

if __name__ == "__main__":
    uvloop.run(serve())
