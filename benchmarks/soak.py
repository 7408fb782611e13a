"""No false promotion: the lender at its peak rate while all cores are kept busy by somebody else.

    python -m benchmarks.soak --minutes 30 [--resume]

In pieces of five minutes, each with a lender of its own: 110 draws a second by open arrivals, and
two busy processes a core at normal priority. Nothing is faulted, so every loss that the monitor
sees, of the primary or of the standby, is a false one. A piece counts only if at least nine in ten
of its draws were granted: a lender that does nothing is not at its peak.
Results: docs/results/soak.json, with commit and machine. The last line is one JSON object.
"""

import argparse
import asyncio
import csv
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

import tests.lender_process
from harness.environment import commit, machine
from mock_lender.cluster.config import CapacityConfig
from tests.lender_process import Lender, lender

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "results" / "soak.json"
PIECE_S = 300.0
RATE_PER_S = 110.0
BURNERS_PER_CORE = 2
BORROWERS = 20_000
GRANTED_MIN = 0.9
LOSSES = ("dead", "silent", "lost", "promoted", "restarted")


def burn(stop: Any) -> None:
    """Keep a core busy."""
    while not stop.is_set():
        sum(range(10_000))


async def load(made: Lender, seconds: float) -> dict[str, int]:
    """Open arrivals, exponential gaps, one key a draw; counts by HTTP status."""
    urls = [f"http://127.0.0.1:{made.service(name).port}" for name in ("gateway-1", "gateway-2")]
    statuses: dict[str, int] = {}
    dice = random.Random(20260320)  # noqa: S311
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout
    ) as client:

        async def press(number: int) -> None:
            body = {"borrower": 10 + number % (BORROWERS - 20), "amount_fen": 100,
                    "purpose": "education"}  # fmt: skip
            headers = {"Idempotency-Key": f"soak-{number:08d}", "X-Deadline-Ms": "5000"}
            try:
                async with client.post(
                    f"{urls[number % 2]}/v1/draws", json=body, headers=headers
                ) as answer:
                    await answer.read()
                    status = str(answer.status)
            except (aiohttp.ClientError, TimeoutError) as exc:
                status = type(exc).__name__
            statuses[status] = statuses.get(status, 0) + 1

        presses = set()
        due_s, number = time.monotonic(), 0
        end_s = due_s + seconds
        while due_s < end_s:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            task = asyncio.create_task(press(number))
            presses.add(task)
            task.add_done_callback(presses.discard)
            number += 1
            due_s += dice.expovariate(RATE_PER_S)
        await asyncio.gather(*presses)
    return statuses


def piece(seconds: float) -> dict[str, Any]:
    """One lender, loaded and crowded; what its monitor thought it saw."""
    tests.lender_process.BORROWERS = BORROWERS
    stop = multiprocessing.Event()
    cores = os.cpu_count() or 1
    burners = [
        multiprocessing.Process(target=burn, args=(stop,), daemon=True)
        for _ in range(BURNERS_PER_CORE * cores)
    ]
    capacity = CapacityConfig(64, 16, 40, 0.08)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        lender(Path(folder) / "lender", capacity=capacity) as made,
    ):
        before = os.times()
        for burner in burners:
            burner.start()
        began_s = time.monotonic()
        statuses = asyncio.run(load(made, seconds))
        stop.set()
        for burner in burners:
            burner.join()
        took_s = time.monotonic() - began_s
        burnt_s = os.times().children_user - before.children_user
        witness = made.databases()
        seen = losses(made.records / "states.monitor.csv")
    draws = sum(statuses.values())
    return {
        "seconds": round(took_s, 1), "draws": draws, "statuses": statuses,
        "granted": round(statuses.get("201", 0) / draws, 4),
        "burnt_cores": round(burnt_s / took_s, 2), "epoch": witness.epoch,
        "in_sync": witness.in_sync, "losses": seen,
    }  # fmt: skip


def losses(states_csv: Path) -> list[str]:
    """What the monitor said of databases that it took for gone."""
    with states_csv.open(newline="") as lines:
        return [
            row["state"]
            for row in csv.DictReader(lines)
            if row["kind"] == "database" and row["state"].split()[0] in LOSSES
        ]


def summary(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """All pieces together."""
    counted = [one for one in pieces if one["granted"] >= GRANTED_MIN]
    return {
        "minutes": round(sum(one["seconds"] for one in counted) / 60, 1),
        "pieces_not_counted": len(pieces) - len(counted),
        "draws": sum(one["draws"] for one in counted),
        "granted_lowest": min((one["granted"] for one in counted), default=None),
        "burnt_cores": [one["burnt_cores"] for one in counted],
        "false_losses": sum(len(one["losses"]) for one in pieces),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    pieces: list[dict[str, Any]] = []
    if arguments.resume and PLACE.exists():
        pieces = json.loads(PLACE.read_text())["pieces"]
    while summary(pieces)["minutes"] < arguments.minutes - 0.01:
        pieces.append({"commit": commit(), **piece(min(PIECE_S, arguments.minutes * 60))})
        PLACE.parent.mkdir(parents=True, exist_ok=True)
        found = {"machine": machine(), "summary": summary(pieces), "pieces": pieces}
        PLACE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        print(json.dumps(pieces[-1]), flush=True)
    print(json.dumps({"benchmark": "soak", "figures": summary(pieces), "peers": {}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
