"""asyncio's own event loop with an `asyncio.Protocol`."""

from __future__ import annotations

import asyncio

from benchmarks.servers.protocol import serve

if __name__ == "__main__":
    asyncio.run(serve())
