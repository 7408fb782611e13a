"""What the lender itself can do: draws a second, latency, start and stop, memory, hot tiers.

    python -m benchmarks.lender rate --runs 5      draws granted a second, capacity unset
    python -m benchmarks.lender latency --runs 3   6,000 draws at 100/s each: p50, p99
    python -m benchmarks.lender closed --runs 5    the same by 32 callers in a closed loop
    python -m benchmarks.lender footprint --runs 5 up, down, proportional set size
    python -m benchmarks.lender slices --runs 5    one hot tier in 1 slice and in 8
    python -m benchmarks.lender settle --runs 5    1,000 draws; replies lost, payouts late, kills

`rate` and `latency` are drills of `drawproof run` with profile full (standby, postings, sweeper and
all): open arrivals from a Locust worker on the same two cores, latency from the due time. Results:
docs/results/lender-PART.json, with commit and machine; `--resume` goes on. The last line is one
JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.lender_closed import closed
from benchmarks.lender_parts import footprint, slices
from benchmarks.results import RESULTS, spreads
from harness.environment import commit, machine
from harness.evidence.tables import read_rows

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = "benchmarks/lender.yaml"
RATES = (200, 250, 262)


def drill(
    *sets: str, scenario: str = SCENARIO, look: Callable[[Path], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """One drill; its verdict, with what `look` finds in the run directory under `looked`."""
    with tempfile.TemporaryDirectory(prefix="lender-") as folder:
        words = [word for one in sets for word in ("--set", one)]
        argv = [sys.executable, "-m", "harness.cli", "run", scenario, *words, "--out", folder]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*/verdict.json"))
        if not found:
            raise SystemExit(done.stdout + done.stderr)
        verdict: dict[str, Any] = json.loads(found[0].read_text())
        return verdict | ({"looked": look(found[0].parent)} if look else {})


def rate() -> dict[str, Any]:
    """Rising rates; of each, what was granted in time a second of 12, and the CPU of a draw."""
    found: dict[str, Any] = {}
    for number in RATES:
        verdict = drill(f"load.shape.rate={number}/s", "phases.baseline=12s")
        baseline = verdict["guarantee"]["by_phase"]["baseline"]
        found[str(number)] = {
            "granted_per_s": round(baseline["kept"] / 12, 1),
            "guarantee": baseline["count"],
            "p50_ms": verdict["latency_ms"]["baseline"]["p50"],
            "p99_ms": verdict["latency_ms"]["baseline"]["p99"],
            "late_ms_p99": verdict["generator"]["late_ms_p99"],
            "audit": sorted({row["verdict"] for row in verdict["audit"]}),
            "cpu_ms_per_draw": cpu(verdict),
        }
    return found


def cpu(verdict: dict[str, Any]) -> dict[str, float]:
    """By hop, and all of it."""
    hops = {
        name.partition(".")[2]: value
        for name, value in verdict["printed"].items()
        if name.startswith("cpu_ms_per_draw.")
    }
    return {**hops, "all": round(sum(hops.values()), 3)}


def latency() -> dict[str, Any]:
    """6,000 draws at 100/s."""
    verdict = drill("load.shape.rate=100/s", "phases.baseline=60s")
    baseline = verdict["latency_ms"]["baseline"]
    return {
        "draws": baseline["count"],
        "p50_ms": baseline["p50"],
        "p95_ms": baseline["p95"],
        "p99_ms": baseline["p99"],
        "p99_interval95": baseline["intervals95"]["p99"],
        "censored": baseline["censored"],
        "late_ms_p99": verdict["generator"]["late_ms_p99"],
        "generator": verdict["generator"]["verdict"],
        "cpu_ms_per_draw": cpu(verdict),
    }


def settle() -> dict[str, Any]:
    """Every draw settled, how long its tries were open, and by whom they were ended."""
    verdict = drill(scenario="scenarios/system/payouts-lost-and-late.yaml", look=settled)
    breached = sorted(row["rule"] for row in verdict["audit"] if row["verdict"] != "held")
    return {
        "draws": verdict["guarantee"]["promised"] + verdict["guarantee"]["rightly_refused"],
        "guarantee": verdict["guarantee"]["count"],
        "unresolved": verdict["guarantee"]["unresolved"],
        "audit_rules": len(verdict["audit"]),
        "audit_not_held": len(breached),
        "exit": verdict["exit_code"],
        **verdict["looked"],
    }


def settled(run: Path) -> dict[str, Any]:
    """From the ledger's tries: how long each was open."""
    tries = read_rows(run, "tries")[0]
    window_s = json.loads((run / "environment.json").read_text())["target"]["sweeper_window_s"]
    open_s = [(one.ended_ns - one.opened_ns) / 1e9 for one in tries if one.ended_ns is not None]
    swept = [one for one in tries if (one.ended_by or "").startswith("sweeper")]
    return {
        "tries": len(tries),
        "tries_open": len(tries) - len(open_s),
        "longest_s": round(max(open_s), 3),
        "window_s": window_s,
        "swept_paid": sum(one.state == "paid" for one in swept),
        "swept_voided": sum(one.state == "voided" for one in swept),
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "rate": rate,
    "closed": closed,
    "latency": latency,
    "footprint": footprint,
    "slices": slices,
    "settle": settle,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    place = RESULTS / f"lender-{arguments.part}.json"
    runs: list[dict[str, Any]] = []
    if arguments.resume and place.exists():
        runs = json.loads(place.read_text())["runs"]
    while len(runs) < arguments.runs:
        runs.append({"commit": commit(), **PARTS[arguments.part]()})
        RESULTS.mkdir(parents=True, exist_ok=True)
        found = {"machine": machine(), "summary": spreads(runs), "runs": runs}
        place.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        print(f"{len(runs)}: {json.dumps(runs[-1])}", flush=True)
    figures = {arguments.part: spreads(runs)}
    print(json.dumps({"benchmark": "lender", "figures": figures, "peers": {}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
