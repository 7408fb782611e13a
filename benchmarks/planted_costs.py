"""Does `drawproof attribute` find what was planted? Costs that are known from the plan alone.

    python -m benchmarks.planted_costs [--repeat N]

Two drills of faults whose cost needs no guess: a rule bars one purpose, or a policy refuses amounts
above a limit, from one moment to another, and breaks each promised draw of that kind that is due in
between. *apart*: two rules for two purposes, on disjoint draws: each costs its own, in company and
alone, and the interaction is zero. *crossed*: a rule and a policy that some draws meet both: alone
each costs all of its own, in company only what is not the other's as well, and the interaction is
minus what is both. A round is a seed; an interval of `attribute` has to hold the mean of what was
planted over the same seeds. Resumable: the same command goes on in its folder below runs/.

Results: docs/results/planted-costs.json. Exit 1 when an interval misses, 3 without enough rounds.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, keep
from harness.clock import NS_PER_S
from harness.compare.costs import ALONE, COMPANY, INTERACTION
from harness.environment import commit
from harness.evidence.rows import Intent
from harness.repeats.arms import Arm, seeds_from

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "benchmarks" / "attribution.yaml"
KEPT = ROOT / "runs" / "planted"
PLACE = RESULTS / "planted-costs.json"
ROUNDS = 8
WINDOW = "at: fault+1s, for: 5s"
FROM_S, TO_S = 1.0, 6.0  # of the fault phase, as in WINDOW
ABOVE_FEN = 100_000
RULE = "{{business: rule_adopted, target: {}, announced: off, " + WINDOW + "}}"
POLICY = f"{{business: tightening, above: {ABOVE_FEN // 100} yuan, announced: off, {WINDOW}}}"
Of = Callable[[Intent], bool]


def of_purpose(purpose: str) -> Of:
    """Draws that a rule for it bars."""
    return lambda intent: intent.purpose == purpose


def too_much(intent: Intent) -> bool:
    """Draws that the policy refuses."""
    return intent.amount_fen > ABOVE_FEN


PLANTED: Mapping[str, tuple[tuple[str, str], tuple[Of, Of]]] = {
    "apart": (
        (RULE.format("education"), RULE.format("medical")),
        (of_purpose("education"), of_purpose("medical")),
    ),
    "crossed": ((RULE.format("education"), POLICY), (of_purpose("education"), too_much)),
}


def planted(name: str, seed: int) -> dict[tuple[int | None, str], tuple[int, int]]:
    """Draws and fen by the fault's number (None: both) and how, by the plan of a seed."""
    plan = Arm(name, SCENARIO).planned(seed)
    fault_s = plan.scenario.phases.start_s("fault")
    first, second = PLANTED[name][1]
    hit = [
        (intent, first(intent), second(intent))
        for intent, fate in zip(plan.intents, plan.fates, strict=True)
        if fate == "promised"
        and FROM_S <= intent.due_ns / NS_PER_S - fault_s < TO_S
        and (first(intent) or second(intent))
    ]

    def cost(chosen: list[Intent]) -> tuple[int, int]:
        return len(chosen), sum(intent.amount_fen for intent in chosen)

    both = cost([intent for intent, by_first, by_second in hit if by_first and by_second])
    return {
        (0, ALONE): cost([intent for intent, by_first, _ in hit if by_first]),
        (1, ALONE): cost([intent for intent, _, by_second in hit if by_second]),
        (0, COMPANY): cost([intent for intent, _, by_second in hit if not by_second]),
        (1, COMPANY): cost([intent for intent, by_first, _ in hit if not by_first]),
        (None, ""): (-both[0], -both[1]),
    }


def measured(name: str, rounds: int) -> dict[str, Any]:
    """What `drawproof attribute` says; goes on in the folder of an earlier call."""
    faults = ", ".join(PLANTED[name][0])
    place = KEPT / name
    found = sorted(place.glob("*/attribute.json")) + sorted(place.glob("*/repeats.json"))
    again = ["--resume", str(found[0].parent)] if found else ["--out", str(place)]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "attribute", str(SCENARIO),
         "--set", f"faults=[{faults}]", "--repeat", str(rounds), *again],
        cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 3):
        raise SystemExit(f"{name}: drawproof attribute ended with {done.returncode}")
    (report,) = place.glob("*/attribute.json")
    value: dict[str, Any] = json.loads(report.read_text())
    return value


def compared(name: str, value: dict[str, Any], seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """One row a cost and measure: planted, measured, its interval, and whether that holds it."""
    # `round 3: why`; a sentence on all of them is not about one.
    said = [text for text in value["left_out"] if text.startswith("round ")]
    lost = [int(text.split()[1].rstrip(":")) - 1 for text in said]
    plans = [planted(name, seed) for number, seed in enumerate(seeds) if number not in lost]
    seen: list[str] = []
    rows = []
    for cost in value["costs"]:
        if cost["what"] not in (*seen, INTERACTION):
            seen.append(cost["what"])
        number = None if cost["what"] == INTERACTION else seen.index(cost["what"])
        for at, key in enumerate(("broken", "broken_fen")):
            truth = [plan[number, cost["how"]][at] for plan in plans]
            low, high = cost[key]["interval"]
            mean = statistics.fmean(truth)
            rows.append(
                {
                    "drill": name, "what": cost["what"], "how": cost["how"], "measure": key,
                    "planted": round(mean, 2), "measured": cost[key]["estimate"],
                    "interval": [low, high], "coverage": cost[key]["coverage"],
                    "inside": low <= mean <= high,
                    "off_by_round": [
                        found - real
                        for found, real in zip(cost[key]["values"], truth, strict=True)
                    ],
                    "rounds": len(plans), "commit": commit(),
                }
            )  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in PLANTED:
        value = measured(name, arguments.repeat)
        first = Arm(name, SCENARIO).loaded().scenario.seed
        rows += compared(name, value, seeds_from(first, arguments.repeat))
        inside = sum(row["inside"] for row in rows)
        keep(PLACE, "costs", rows, {"inside": inside, "of": len(rows)})
    for row in rows:
        low, high = row["interval"]
        print(
            f"{row['drill']:8} {row['what'][:40]:40} {row['how']:11} {row['measure']:10}"
            f" planted {row['planted']:>12,.1f}  measured {row['measured']:>12,.1f}"
            f" ({low:,.1f} to {high:,.1f}){'' if row['inside'] else '  MISSED'}"
        )
    drilled = {row["drill"] for row in rows}
    if drilled != PLANTED.keys() or any(row["coverage"] < 0.95 for row in rows):
        return 3
    return 0 if all(row["inside"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
