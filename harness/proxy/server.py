"""The proxy as a process: `python -m harness.proxy.server RUN SEED` for a drill.

For a drill the API listens on loopback, every request needs the run's token (RUN/.token), and where
it listens is written to RUN/work/proxy.json. `drawproof proxy` (alone.py) serves it by itself.
"""

import asyncio
import gc
import json
import os
import resource
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop

from harness.proxy.addresses import Address, Reach, listening, reserved
from harness.proxy.api import Api
from harness.proxy.collection import Proxies
from harness.proxy.http_server import HttpSide
from harness.proxy.struck import NAME as RECORD
from harness.proxy.struck import Struck

READY = "proxy.json"
# A connection is two descriptors; objects of old connections are looked through for circles only
# now and then, because bytes wait meanwhile.
_GC = (20_000, 20, 50)
# A proxy that waits for a processor would be a fault that nobody has planned.
_HURRY = -5


@asynccontextmanager
async def serving(proxies: Proxies, token: str | None, listen: Address) -> AsyncIterator[Address]:
    """The API, as long as this is open; where it listens. Raises OSError when it can't."""
    api = Api(proxies, token)
    place = reserved(listen)
    try:
        server = await listening(lambda: HttpSide(api.answer), place)
        try:
            yield Address(*place.getsockname()[:2])
        finally:
            server.close()
            proxies.close()
    finally:
        place.close()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop, prepared for thousands of connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC)
    uvloop.run(main)


async def serve(run_dir: Path, seed: int) -> None:
    """For a drill, until killed."""
    with suppress(PermissionError):
        os.nice(_HURRY)
    token = (run_dir / ".token").read_text()
    struck = Struck(run_dir / "work" / RECORD)
    proxies = Proxies(seed, Reach(upstream_anywhere=False), struck)
    async with serving(proxies, token, Address("127.0.0.1", 0)) as address:
        partial = run_dir / "work" / f"{READY}.partial"
        partial.write_text(json.dumps({"url": f"http://{address}"}))
        os.replace(partial, run_dir / "work" / READY)
        await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(Path(sys.argv[1]), int(sys.argv[2])))
