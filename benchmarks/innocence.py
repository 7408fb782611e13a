"""Is a sound lender ever accused? Drills of it under two faults at once, all of the catalogue.

    python -m benchmarks.innocence [--drills 30] [--most N] [--again]

The lender has no planted mistake and all protections; its faults are the examples of
docs/faults.md, dealt in pairs by a seed, another seed for each drill's draws. A finding of any
audit rule, or a draw that was wrongly approved, is a false accusation: its run stays in
runs/innocence. Of none in n drills the share of false accusations is below 1 - 0.05^(1/n), with a
confidence of 95 %. A rule that could not be judged accuses nobody. A drill that was inconclusive or
did not complete is not one of the n, and another is made. Goes on where an earlier call ended;
`--again` forgets it.

Results: docs/results/innocence.json, after every drill. Exit 1 with a false accusation.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, keep, kept
from harness.environment import commit
from harness.errors import ScenarioError
from harness.faults.catalogue import CATALOGUE
from harness.faults.page import example
from harness.repeats.arms import Arm
from harness.seeds import stream

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "benchmarks" / "defects.yaml"
KEPT = ROOT / "runs" / "innocence"
PLACE = RESULTS / "innocence.json"
SEED = 20261101
CONFIDENCE = 0.95


def pairs(drills: int) -> list[tuple[str, str]]:
    """Two lines of `faults` for each drill: all of the catalogue before any comes again. A line
    that contradicts its partner waits for the next one; what fits nobody (a fault that lasts longer
    than the drill) is left out."""
    dice = stream(SEED, "innocence")
    waiting: list[str] = []
    dealt: list[tuple[str, str]] = []
    while len(dealt) < drills:
        if len(waiting) < 2:
            more = [example(*key).removeprefix("- ") for key in CATALOGUE]
            dice.shuffle(more)
            waiting += more
        first = waiting.pop(0)
        second = next((line for line in waiting if line != first and allowed(first, line)), None)
        if second is not None:
            waiting.remove(second)
            dealt.append((first, second))
    return dealt


def allowed(first: str, second: str) -> bool:
    """Can the two be in one drill?"""
    try:
        Arm("two", SCENARIO, (f"faults=[{first}, {second}]",)).planned(SEED)
    except ScenarioError:
        return False
    return True


def run_one(number: int, faults: Sequence[str]) -> dict[str, Any]:
    """One drill in its own process, and what its verdict says of the money."""
    place = KEPT / f"{number + 1:02}"
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "run", str(SCENARIO), "--set",
         f"seed={SEED + number}", "--set", f"faults=[{', '.join(faults)}]", "--allow-exec",
         "--out", str(place)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    told = place / "latest" / "verdict.json"
    if not told.exists():
        raise SystemExit(f"drill {number + 1}: {done.stderr or done.stdout}")
    verdict = json.loads(told.read_text())
    words = Counter(row["verdict"] for row in verdict["audit"])
    return {
        "drill": number + 1, "seed": SEED + number, "commit": commit(), "exit": done.returncode,
        "took_s": round(time.monotonic() - began_s, 1), "faults": list(faults),
        "seen": [one["observed"] for one in verdict["faults"]], "reason": verdict["reason"],
        "rules": dict(words), "found": [r["rule"] for r in verdict["audit"] if r["count"]],
        "wrongly_approved": verdict["guarantee"]["wrongly_approved"],
    }  # fmt: skip


def accused(row: dict[str, Any]) -> bool:
    """Did anything in it say that the money was wrong?"""
    return bool(row["found"] or row["wrongly_approved"] or row["rules"].get("breached"))


def summary_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What may be claimed, of the conclusive drills: held, or breached by something else."""
    complete = [row for row in rows if row["exit"] in (0, 1)]
    false = [row["drill"] for row in rows if accused(row)]
    bound = 1 - (1 - CONFIDENCE) ** (1 / len(complete)) if complete and not false else None
    return {
        "drills": len(rows), "conclusive": len(complete), "accused": false,
        "kinds_seen": len({
            tuple(line.split(",")[0].lstrip("{").split(": "))
            for row in rows
            for line, seen in zip(row["faults"], row["seen"], strict=True) if seen
        }),
        "kinds": len(CATALOGUE),
        "false_share_below": None if bound is None else round(bound, 4),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drills", type=int, default=30, help="conclusive ones")
    parser.add_argument("--most", type=int, default=1000, help="drills of this call")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    rows = kept(PLACE, "drills", resume=not arguments.again)
    for number in range(len(rows), len(rows) + arguments.most):
        if summary_of(rows)["conclusive"] >= arguments.drills:
            break
        rows.append(run_one(number, pairs(number + 1)[number]))
        keep(PLACE, "drills", rows, summary_of(rows))
        print(
            f"{number + 1}: exit {rows[-1]['exit']}, {rows[-1]['rules']}: {rows[-1]['reason']}",
            flush=True,
        )
    print(json.dumps(summary_of(rows), indent=1))
    return 1 if summary_of(rows)["accused"] else 0


if __name__ == "__main__":
    sys.exit(main())
