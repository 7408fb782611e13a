"""A million attempts, a process a step: `python -m benchmarks.load_million RUN STEP`.

    compact    their streams made one Parquet file, as a drill ends
    judge      read as `drawproof recheck` reads a run (load_view: every table, in order), and
               summed up by the judge's own functions
    complete   read in the same way, and held against the load's manifest: every row is there, and
               the plan is the one that was handed out
    plain      row by row, in the simplest way there is; shares nothing with the judge but the files

The sums: attempts by outcome; latency from the due time over all intents, those never granted
infinite; kept ÷ all intents (no ledger here, so all count as promised). `plain` is what the sums of
`judge` must agree with, and shows what columns save. Prints one JSON object: the sums, the seconds
it took, and the most memory that was resident.
"""

import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from harness.evidence.rows import DRAWING
from harness.evidence.store import RunDir
from harness.judge.completeness import incomplete
from harness.judge.latency import since_due_ms, summary
from harness.judge.load_view import load_view
from harness.judge.told import first_granted_ns
from harness.scenario.loader import load_scenario


def by_judge(run: Path) -> dict[str, Any]:
    """By the judge's own reading and its own functions."""
    view = load_view(RunDir.open(run))
    granted_ns = first_granted_ns(view.attempts)
    intents = view.intents
    values_ms = since_due_ms(
        intents.column("due_ns"), map(granted_ns.get, intents.column("intent"))
    )
    latency = summary(values_ms)
    deadline_ms = view.scenario.load.patience.deadline_s * 1000
    return {
        "attempts": len(view.attempts),
        "outcomes": dict(sorted(view.attempts.counts("outcome").items())),
        "latency_ms": {name: _finite(value) for name, value in latency.quantiles.items()},
        "censored": latency.censored,
        "kept": round(sum(value <= deadline_ms for value in values_ms) / latency.count, 6),
    }


def complete(run: Path) -> dict[str, Any]:
    """Is the evidence all there? Raises SystemExit, which says what is not."""
    view = load_view(RunDir.open(run))
    problems = incomplete(view)
    if problems:
        raise SystemExit("; ".join(problems))
    return {"attempts": len(view.attempts), "intents": len(view.intents)}


def by_plain(run: Path) -> dict[str, Any]:
    """Row by row."""
    outcomes: dict[str, int] = defaultdict(int)
    granted_ns: dict[int, int] = {}
    for row in _rows(run / "attempts.parquet"):
        outcomes[row["outcome"]] += 1
        if row["outcome"] == "granted" and row["kind"] in DRAWING:
            known_ns = granted_ns.get(row["intent"])
            if known_ns is None or row["done_ns"] < known_ns:
                granted_ns[row["intent"]] = row["done_ns"]
    t0_ns = json.loads((run / "run.json").read_text())["t0_ns"]
    deadline_s = load_scenario(run / "scenario.yaml", (), None).scenario.load.patience.deadline_s
    values_ms, kept = [], 0
    for row in _rows(run / "intents.parquet"):
        known_ns = granted_ns.get(row["intent"])
        value_ms = math.inf if known_ns is None else (known_ns - row["due_ns"] - t0_ns) / 1e6
        values_ms.append(value_ms)
        kept += value_ms <= deadline_s * 1000
    values_ms.sort()
    quantiles = {}
    for per_mille in (500, 900, 950, 990, 999):
        # The smallest that so many do not exceed; of fewer than ten beyond it nothing is said.
        beyond = len(values_ms) * (1000 - per_mille) // 1000
        rank = -(-len(values_ms) * per_mille // 1000)
        quantiles[f"p{per_mille / 10:g}"] = _finite(values_ms[rank - 1]) if beyond >= 10 else None
    return {
        "attempts": sum(outcomes.values()),
        "outcomes": dict(sorted(outcomes.items())),
        "latency_ms": quantiles,
        "censored": sum(map(math.isinf, values_ms)),
        "kept": round(kept / len(values_ms), 6),
    }


def compact(run: Path) -> dict[str, Any]:
    """As a drill does at its end; the bytes that come of it."""
    RunDir.open(run).compact()
    return {"attempts_bytes": (run / "attempts.parquet").stat().st_size}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None


def _peak_mb() -> float:
    """Of this program alone: what getrusage says has that of the process it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


STEPS = {"compact": compact, "judge": by_judge, "complete": complete, "plain": by_plain}


def main() -> int:
    began_s = time.monotonic()
    sums = STEPS[sys.argv[2]](Path(sys.argv[1]))
    seconds = time.monotonic() - began_s
    print(json.dumps({"seconds": round(seconds, 3), "peak_rss_mb": round(_peak_mb(), 1),
                      "sums": sums}))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
