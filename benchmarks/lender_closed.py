"""Callers who press again as soon as they are answered: what the lender's processes can do at most.

Not how borrowers come, and no latency of theirs; the difference to open arrivals is what waiting
for work costs.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

import tests.lender_process
from harness.target.probes import process_cpu_s, tree_cpu_s
from mock_lender.cluster.config import CapacityConfig
from tests.lender_process import Lender, lender

CALLERS = 32
WARM_S, SECONDS = 2.0, 8.0
BORROWERS = 20_000


def closed() -> dict[str, Any]:
    """Draws granted a second by 32 callers, capacity unset, and CPU a draw by hop."""
    tests.lender_process.BORROWERS = BORROWERS
    capacity = CapacityConfig(4096, 16, 4096, 0.0)
    with (
        tempfile.TemporaryDirectory(prefix="closed-") as folder,
        lender(Path(folder) / "lender", capacity=capacity) as made,
    ):
        asyncio.run(_drive(made, WARM_S, "warm"))
        before, began_s = _cpu_s(made), time.monotonic()
        waits_ms = asyncio.run(_drive(made, SECONDS, "draw"))
        took_s, after = time.monotonic() - began_s, _cpu_s(made)
    cpu = {hop: round((after[hop] - before[hop]) * 1000 / len(waits_ms), 3) for hop in after}
    return {
        "granted_per_s": round(len(waits_ms) / took_s, 1),
        "p50_ms": round(waits_ms[len(waits_ms) // 2], 1),
        "cpu_ms_per_draw": {**cpu, "all": round(sum(cpu.values()), 3)},
    }


async def _drive(made: Lender, seconds: float, word: str) -> list[float]:
    """What each granted draw took, ms, in order."""
    urls = [f"http://127.0.0.1:{made.service(name).port}" for name in ("gateway-1", "gateway-2")]
    stop_s = time.monotonic() + seconds
    waits_ms: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def caller(number: int) -> None:
            count = number
            while time.monotonic() < stop_s:
                count += CALLERS
                body = {"borrower": 10 + count % (BORROWERS - 20), "amount_fen": 100,
                        "purpose": "education"}  # fmt: skip
                headers = {"Idempotency-Key": f"{word}-{count:08d}", "X-Deadline-Ms": "5000"}
                began_s = time.monotonic()
                async with client.post(
                    f"{urls[count // CALLERS % 2]}/v1/draws", json=body, headers=headers
                ) as answer:
                    await answer.read()
                if answer.status == 201:
                    waits_ms.append((time.monotonic() - began_s) * 1000)

        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return sorted(waits_ms)


def _cpu_s(made: Lender) -> dict[str, float]:
    """Seconds used so far, by role."""
    used: dict[str, float] = {}
    for service in made.topology.services:
        used[service.role] = used.get(service.role, 0.0) + process_cpu_s(service.pid)
    for member in made.databases().members:
        used[member.role] = sum(tree_cpu_s(member.pid))
    return used
