"""Reads a run of a million attempts and sums it up: `python -m benchmarks.load_million RUN WAY`.

    judge      as `drawproof recheck` reads a run: every row of every table, in order (load_view)
    columns    the attempts as columns, and of them those that the sums need: what could be

The sums: attempts by outcome; latency from the due time over all intents, those never granted
infinite; kept ÷ all intents (no ledger here, so all count as promised). Prints them as JSON, with
the seconds it took and the most memory the process ever had.
"""

import json
import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.evidence.store import RunDir
from harness.judge.latency import summary
from harness.judge.load_view import load_view
from harness.scenario.loader import load_scenario


def by_judge(run: Path) -> dict[str, Any]:
    """By the judge's own reading and its own summary of latency."""
    view = load_view(RunDir.open(run))
    granted_ns: dict[int, int] = {}
    for attempt in view.attempts:
        done_ns = attempt.done_ns
        if attempt.outcome == "granted" and attempt.kind != "look" and done_ns is not None:
            before_ns = granted_ns.get(attempt.intent, done_ns)
            granted_ns[attempt.intent] = min(before_ns, done_ns)
    values_ms = [
        (granted_ns[intent.intent] - intent.due_ns) / 1e6
        if intent.intent in granted_ns
        else math.inf
        for intent in view.intents
    ]
    outcomes = Counter(attempt.outcome for attempt in view.attempts)
    return _sums(outcomes, values_ms, view.scenario.load.patience.deadline_s)


def by_columns(run: Path) -> dict[str, Any]:
    """By whole columns; only what is needed is read."""
    attempts = pq.read_table(
        run / "attempts.parquet", columns=["intent", "kind", "outcome", "done_ns"]
    )
    counts = attempts.group_by("outcome").aggregate([("intent", "count")]).to_pylist()
    outcomes = Counter({str(row["outcome"]): int(row["intent_count"]) for row in counts})
    granted = attempts.filter((pc.field("outcome") == "granted") & (pc.field("kind") != "look"))
    first = granted.group_by("intent").aggregate([("done_ns", "min")])
    intents = pq.read_table(run / "intents.parquet", columns=["intent", "due_ns"])
    t0_ns = json.loads((run / "run.json").read_text())["t0_ns"]
    joined = intents.join(first, "intent")
    values_ms = [
        math.inf if done_ns is None else (done_ns - due_ns - t0_ns) / 1e6
        for done_ns, due_ns in zip(
            joined["done_ns_min"].to_pylist(), joined["due_ns"].to_pylist(), strict=True
        )
    ]
    deadline_s = load_scenario(run / "scenario.yaml", (), None).scenario.load.patience.deadline_s
    return _sums(outcomes, values_ms, deadline_s)


def _sums(outcomes: Counter[str], values_ms: Sequence[float], deadline_s: float) -> dict[str, Any]:
    found = summary(values_ms)
    kept = sum(value <= deadline_s * 1000 for value in values_ms)
    return {
        "attempts": sum(outcomes.values()),
        "outcomes": dict(sorted(outcomes.items())),
        "latency_ms": {
            name: round(value, 6) if value is not None and math.isfinite(value) else None
            for name, value in found.quantiles.items()
        },
        "censored": found.censored,
        "kept": round(kept / len(values_ms), 6),
    }


WAYS = {"judge": by_judge, "columns": by_columns}


def main() -> int:
    began_s = time.monotonic()
    sums = WAYS[sys.argv[2]](Path(sys.argv[1]))
    seconds = time.monotonic() - began_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 3), "peak_rss_mb": round(peak_mb, 1),
                      "sums": sums}))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
