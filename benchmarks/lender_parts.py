"""Parts of benchmarks/lender.py that ask the lender itself, without a drill."""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.processes import descendants
from mock_lender.cluster.config import TierConfig
from mock_lender.ledger.store import Store
from tests.databases import TERMS, one_database, store_of
from tests.lender_process import lender

SECONDS = 4.0
AT_ONCE = 32


def footprint() -> dict[str, Any]:
    """Ten services and two databases: up (to all ready), down, and what they hold of memory."""
    with tempfile.TemporaryDirectory(prefix="lender-") as folder:
        began_s = time.monotonic()
        with lender(Path(folder) / "lender") as made:
            up_s = time.monotonic() - began_s
            for number in range(50):
                made.draw(f"warm-{number:04d}", borrower=10 + number)
            pids = [made.process.pid, *descendants(made.process.pid)]
            mb = sum(proportional_kb(pid) for pid in pids) / 1024
            down_s = made.stop()
        return {
            "up_s": round(up_s, 3), "down_s": round(down_s, 3), "pss_mb": round(mb, 1),
            "processes": len(pids),
        }  # fmt: skip


def proportional_kb(pid: int) -> int:
    """Proportional set size; 0 for one that is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def slices() -> dict[str, Any]:
    """Draws (reserve and post) a second on one tier, its money in one row and in eight."""
    return {str(number): {"draws_per_s": _hot(number)} for number in (1, 8)}


def _hot(number: int) -> float:
    people = "\n".join(f"{n},new,100000000,0,0" for n in range(1, 5001))
    tiers = [TierConfig("own", "bank.own", 1.0, 10**12, slices=number)]
    with tempfile.TemporaryDirectory(prefix="hot-") as folder:
        Path(folder).chmod(0o700)
        with one_database(Path(folder), people, tiers) as books:
            return asyncio.run(_drive(books))


async def _drive(books: Any) -> float:
    done = [0]
    async with store_of(books, AT_ONCE) as store:
        stop_s = time.monotonic() + SECONDS

        async def worker(number: int) -> None:
            count = 0
            while time.monotonic() < stop_s:
                count += 1
                await _draw(
                    store, f"hot-{os.getpid()}-{number}-{count}", 1 + number * 100 + count % 99
                )
                done[0] += 1

        await asyncio.gather(*(worker(number) for number in range(AT_ONCE)))
    return round(done[0] / SECONDS, 1)


async def _draw(store: Store, key: str, borrower: int) -> None:
    body = {
        "draw_key": key, "borrower": borrower, "amount_fen": 100, "purpose": "education",
        "body_hash": "x", "nonce": "n", "avoid": [], "gateway": "gateway-1", "risk_policy": 1,
        "risk_ns": 1, "compliance_rules": 1, "compliance_ns": 1, **TERMS,
    }  # fmt: skip
    found = await store.reserve(body)
    if found["state"] != "paying":
        raise SystemExit(json.dumps(found))
    await store.post(key, found["try"], "gateway-1")
