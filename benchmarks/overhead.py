"""What the fault layer costs while nothing is wrong: drills with it and without it, in pairs.

    python -m benchmarks.overhead --pairs 5 [--resume] [--short]

`with`: every edge leads through the proxy, and the nemesis runs with an empty schedule. `without`:
no proxy process, no nemesis. Same scenario, same seed, same intents; which of the two goes first
changes from pair to pair.

The differences (with less without) must lie inside 0.5 points of guarantee and 5 % of p50: the
90 % interval of their mean (t), which is two one-sided tests at 5 %. Results:
docs/results/overhead.json. Exit 1 when they don't, or a drill was not held.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, keep, kept
from harness.drill import Drill, prepare
from harness.environment import commit
from harness.evidence.store import RunDir
from harness.faults.sample import sample_edges
from harness.plan import make_plan
from harness.report.write import judge_and_write
from harness.scenario.loader import load_scenario
from harness.stopping import StopFlag

ROOT = Path(__file__).resolve().parent.parent
ARMS = ("with", "without")
LONG = ("phases={warmup: 5s, baseline: 40s, fault: 40s, watch: 2s}",)
SHORT = ("phases={warmup: 2s, baseline: 10s, fault: 10s, watch: 2s}",)
CHANGES = (
    "faults=[]", "abort=[]", "load.shape={kind: steady, rate: 60/s}",
    "expect={baseline: [guarantee >= 99 %], drill: [audit clean]}",
)  # fmt: skip
POINTS = 0.5
PERCENT = 5.0
# Student's t, 95 % one-sided, by degrees of freedom.
T95 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833}


def one_drill(arm: str, seed: int, out: Path, *, short: bool) -> dict[str, Any]:
    """One drill of an arm, in this process; its figures."""
    changes = [*CHANGES, *(SHORT if short else LONG), f"seed={seed}"]
    loaded = load_scenario(ROOT / "scenarios" / "smoke.yaml", changes, None)
    plan = make_plan(loaded.scenario)
    if arm == "with":
        plan = dataclasses.replace(plan, edges=sample_edges(loaded.scenario.lender))
    run = prepare(plan, loaded.text, loaded.files, out)
    Drill(plan, run, StopFlag(), lambda _: None).run()
    run.compact()
    _, verdict, _ = judge_and_write(RunDir.open(run.path))
    found = verdict.value
    return {
        "arm": arm, "seed": seed, "verdict": found["verdict"], "reason": found["reason"],
        "guarantee": found["guarantee"]["count"], "promised": found["guarantee"]["promised"],
        "p50_ms": statistics.fmean(
            found["latency_ms"][phase]["p50"] for phase in ("baseline", "fault")
        ),
        "commit": commit(),
    }  # fmt: skip


def in_a_process(arm: str, seed: int, *, short: bool) -> dict[str, Any]:
    """The same in a process of its own, which owns nothing from the one before."""
    argv = [sys.executable, "-m", "benchmarks.overhead", "--arm", arm, "--seed", str(seed)]
    done = subprocess.run(
        [*argv, *(["--short"] if short else [])], cwd=ROOT, capture_output=True, text=True,
        timeout=300, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def differences(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean difference and its 90 % interval, in points of guarantee and in % of p50."""
    points = [100 * (p["with"]["guarantee"] - p["without"]["guarantee"]) for p in pairs]
    percent = [100 * (p["with"]["p50_ms"] / p["without"]["p50_ms"] - 1) for p in pairs]
    return {
        "pairs": len(pairs),
        "guarantee_points": _interval(points, POINTS),
        "p50_percent": _interval(percent, PERCENT),
        "held": sum(p[arm]["verdict"] == "held" for p in pairs for arm in ARMS),
    }


def _interval(values: list[float], bound: float) -> dict[str, Any]:
    mean = statistics.fmean(values)
    if len(values) < 2:
        return {"mean": mean, "interval90": None, "bound": bound, "inside": False}
    freedom = min(len(values) - 1, max(T95))
    half = T95[freedom] * statistics.stdev(values) / len(values) ** 0.5
    low, high = mean - half, mean + half
    inside = -bound <= low and high <= bound
    return {"mean": mean, "interval90": [low, high], "bound": bound, "inside": inside}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arm", choices=ARMS, help="one drill of one arm, and its figures")
    arguments = parser.parse_args()
    if arguments.arm is not None:
        with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
            found = one_drill(arguments.arm, arguments.seed, Path(folder), short=arguments.short)
        print(json.dumps(found))
        return 0
    place = RESULTS / "overhead.json"
    pairs = kept(place, "pairs", resume=arguments.resume)
    for number in range(len(pairs), arguments.pairs):
        order = ARMS if number % 2 == 0 else ARMS[::-1]
        pair = {arm: in_a_process(arm, arguments.seed + number, short=arguments.short)
                for arm in order}  # fmt: skip
        pairs.append(pair)
        print(json.dumps(pair), flush=True)
        keep(place, "pairs", pairs, differences(pairs))
    found = differences(pairs)
    print(json.dumps(found))
    sound = found["held"] == 2 * len(pairs)
    return (
        0 if sound and all(found[k]["inside"] for k in ("guarantee_points", "p50_percent")) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
