"""How far the gate can be believed: alarms when nothing has changed, and what it finds when it has.

    python -m benchmarks.gate runs --runs 40 [--most 10]
    python -m benchmarks.gate judge
    python -m benchmarks.gate confirm [--most 10]

runs: the drill of gate.yaml again and again with one seed; goes on where an earlier call ended, at
most `--most` drills a call. judge: deals those runs into two arms of 8 pairs, thousands of times.
*A/A*: how often are arms that are the same called worse? *Sensitivity*: with an effect put on one
arm, how often is it called worse, and what is the smallest that is found in nine of ten deals, by
the number of pairs? confirm: three real comparisons of 8 pairs, with lenders that are worse by as
much: two points of guarantee less, a p50 three tenths longer, and both. Results:
docs/results/gate.json.

The deals share 40 runs, so the interval of a share is over deals, given these runs.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks.results import RESULTS, keep, kept
from harness.clock import NS_PER_S
from harness.compare.comparison import compare
from harness.compare.measures import USUAL
from harness.compare.paired import Paired
from harness.compare.power import PAIRS_MIN, detectable
from harness.compare.vote import wilson
from harness.repeats.arms import Arm, in_order
from harness.repeats.book import Done, is_repeats, read_done
from harness.repeats.child import Child
from harness.repeats.digest import Digest
from harness.repeats.repeats import Repeats, by_arm, run_repeats
from harness.seeds import stream
from harness.stopping import Interrupted, StopFlag

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "benchmarks" / "gate.yaml"
KEPT = ROOT / "runs" / "gate"
PLACE = RESULTS / "gate.json"
POINTS, SLOWER = 2.0, 1.3
DEALS, FEWER = 4000, 300
PAIRS = (8, 9, 10, 11, 12)
FURTHER = (16, 20, 30, 40)  # by formula: so many flips are too many to deal thousands of times
FOUND = 0.9
SHARES = ("drill.guarantee", "drill.guarantee_money", "drill.access")
STEPS = 8
Effect = Callable[[Digest], Digest]


def drill(arms: Sequence[Arm], rounds: int, place: Path, most: int) -> tuple[list[Done], int]:
    """At most so many more drills of these rounds, the last round made whole; what the folder has
    then, and how many were made."""
    seed = arms[0].loaded().scenario.seed
    have = len(read_done(place)) if is_repeats(place) else 0
    cells = islice(in_order(arms, (seed,) * rounds), have + most)
    upto = max((cell.number for cell in cells), default=-1) + 1
    if not upto:
        return [], 0
    stop = StopFlag()
    stop.install()
    asked = Repeats("gate benchmark", tuple(arms), (seed,) * upto, place)
    done = run_repeats(asked, Child(stop), lambda text: print(text, flush=True))
    return done, max(0, len(done) - have)


def sound(place: Path) -> list[Digest]:
    """The runs that may be compared; all of them are of the same seed."""
    return [one for one in by_arm(read_done(place), "same").values() if one.counts]


def doubted(place: Path) -> int:
    """How many of the runs that are there may not be compared."""
    return sum(not one.digest.counts for one in read_done(place)) if is_repeats(place) else 0


def pairs_in_doubt(done: Sequence[Done], arms: Sequence[Arm]) -> int:
    """Rounds that have a run which may not be compared."""
    by_label = [by_arm(done, arm.label) for arm in arms]
    return len({at for mine in by_label for at, one in mine.items() if not one.counts})


def dealt(runs: Sequence[Digest], pairs: int, dice: Random, effect: Effect) -> str:
    """The word for two arms dealt from the same runs, the second with an effect on it."""
    drawn = dice.sample(list(runs), 2 * pairs)
    return compare(drawn[:pairs], [effect(one) for one in drawn[pairs:]], USUAL).word


def lower(points: float) -> Effect:
    """So many points of guarantee less, by count and money, and of access."""
    return lambda one: _changed(one, {key: lambda v: v - points / 100 for key in SHARES})


def longer(factor: float) -> Effect:
    """A baseline p50 so many times as long."""
    return lambda one: _changed(one, {"baseline.p50": lambda value: value * factor})


def _changed(one: Digest, changes: dict[str, Callable[[float], float]]) -> Digest:
    values = dict(one.values)
    for key, change in changes.items():
        value = values.get(key)
        values[key] = None if value is None else change(value)
    return replace(one, values=values)


def share_worse(
    runs: Sequence[Digest], pairs: int, deals: int, effect: Effect, name: str
) -> dict[str, Any]:
    """Of so many deals: how many were called what."""
    dice = stream(pairs, name)
    words = [dealt(runs, pairs, dice, effect) for _ in range(deals)]
    worse = words.count("worse")
    low, high = wilson(worse, deals)
    return {
        "deals": deals, "worse": worse / deals, "interval95": [round(low, 4), round(high, 4)],
        **{word: words.count(word) / deals for word in ("same", "better", "cannot tell")},
    }  # fmt: skip


def smallest(
    runs: Sequence[Digest], pairs: int, effect: Callable[[float], Effect], low: float, high: float
) -> float | None:
    """The smallest effect that is called worse in nine of ten deals, by halving; None: not even
    the largest is."""

    def found(size: float) -> bool:
        worse = share_worse(runs, pairs, FEWER, effect(size), f"curve {size:g}")["worse"]
        return bool(worse >= FOUND)

    if not found(high):
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return round(high, 3)


def judge() -> dict[str, Any]:
    """Everything that follows from the runs that are there."""
    runs = sound(KEPT / "same")
    if len(runs) < 2 * PAIRS_MIN:
        raise SystemExit(f"{len(runs)} sound runs; {2 * PAIRS_MIN} are needed at least")
    pairs = [number for number in PAIRS if 2 * number <= len(runs)]
    summary: dict[str, Any] = {"sound_runs": len(runs), "spread": dict(_spreads(runs))}
    summary["a_a"] = share_worse(runs, PAIRS_MIN, DEALS, lambda one: one, "a/a")
    summary["two_points"] = share_worse(runs, PAIRS_MIN, DEALS, lower(POINTS), "points")
    summary["p50_three_tenths"] = share_worse(runs, PAIRS_MIN, DEALS, longer(SLOWER), "p50")
    summary["smallest_found"] = {
        "guarantee_points": {
            str(number): smallest(runs, number, lower, 0.0, 5.0) for number in pairs
        },
        "p50_factor": {str(number): smallest(runs, number, longer, 1.0, 2.0) for number in pairs},
        "guarantee_points_by_formula": {
            str(number): round(detectable(_spread(runs), number, USUAL[0].margin) * 100, 3)
            for number in (*PAIRS, *FURTHER)
        },
    }
    return summary


def _spreads(runs: Sequence[Digest]) -> Iterator[tuple[str, list[float]]]:
    for measure in USUAL:
        values = [value for one in runs if (value := one.value(measure.key)) is not None]
        if values:
            yield measure.key, [min(values), median(values), max(values)]


def _spread(runs: Sequence[Digest]) -> float:
    """Of a difference of two runs' guarantees: the root of two times their own."""
    shares = [value for one in runs if (value := one.value(SHARES[0])) is not None]
    return Paired(tuple(shares)).spread * 2**0.5


def confirm(most: int) -> dict[str, str]:
    """Three real comparisons, as far as they have been drilled; the word of each."""
    words = {}
    for name, changes in worse_lenders().items():
        arms = (Arm("base", SCENARIO), Arm("candidate", SCENARIO, changes))
        done, made = drill(arms, PAIRS_MIN, KEPT / name, most)
        most -= made
        # A pair with a run in doubt says nothing: one more is drilled in its place.
        while most > 0 and pairs_in_doubt(done, arms) > len(done) // len(arms) - PAIRS_MIN:
            rounds = PAIRS_MIN + pairs_in_doubt(done, arms)
            done, made = drill(arms, rounds, KEPT / name, most)
            most -= made
        base, candidate = (list(by_arm(done, arm.label).values()) for arm in arms)
        found = compare(base, candidate, USUAL)
        words[name] = f"{found.word}: {found.reason}"
        print(f"{name}: {words[name]}", flush=True)
    return words


def worse_lenders() -> dict[str, tuple[str, ...]]:
    """Settings that cost two points of guarantee, three tenths of the p50, or both: by the plan,
    and by the p50 of the runs that are there."""
    arm = Arm("base", SCENARIO)
    scenario = arm.loaded().scenario
    plan = arm.planned(scenario.seed)
    from_ns = scenario.phases.start_s("fault") * NS_PER_S
    fates = list(zip(plan.intents, plan.fates, strict=True))
    promised = [intent for intent, fate in fates if fate == "promised"]
    hit = sorted((one.amount_fen for one in promised if one.due_ns > from_ns), reverse=True)
    above_yuan = hit[round(POINTS / 100 * len(promised))] // 100
    tightening = f"{{business: tightening, above: {above_yuan} yuan, at: fault+0s}}"
    lines = SCENARIO.read_text().splitlines()
    (as_it_is,) = (line.strip().removeprefix("- ") for line in lines if line.startswith("  - {"))
    p50 = [value for one in sound(KEPT / "same") if (value := one.value("baseline.p50"))]
    slow_ms = scenario.lender.capacity.bank_latency_s * 1000 + (SLOWER - 1) * median(p50)
    points = f"faults=[{as_it_is}, {tightening}]"
    slower = f"lender.capacity.bank_latency={slow_ms:.0f}ms"
    return {"points": (points,), "slower": (slower,), "both": (points, slower)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("runs", "judge", "confirm"))
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--most", type=int, default=1000, help="drills of this call")
    arguments = parser.parse_args()
    summary: dict[str, Any] = json.loads(PLACE.read_text())["summary"] if PLACE.exists() else {}
    rows = kept(PLACE, "runs", resume=True)
    if arguments.what == "runs":
        # A run in doubt says nothing: the next call makes one more in its place.
        rounds = arguments.runs + doubted(KEPT / "same")
        done, _ = drill((Arm("same", SCENARIO),), rounds, KEPT / "same", arguments.most)
        rows = [one.digest.as_json() for one in done]
    elif arguments.what == "judge":
        summary |= judge()
        print(json.dumps(summary, indent=1))
    else:
        summary["confirmed"] = confirm(arguments.most)
    keep(PLACE, "runs", rows, summary)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Interrupted as by:
        sys.exit(f"{by}: what has been run is kept; the same command goes on")
