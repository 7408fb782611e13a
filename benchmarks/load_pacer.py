"""The pacer alone: are its due times what the shape says, and what does planning them cost?

Of a hundred seeds over every shape there is: due times carried into the time that runs at the rate
must have exponential gaps (Kolmogorov-Smirnov p of each seed), and the hundred p values must be
uniform (one p over them). The same for the places of the due times, which finds a wrong curve.
Even spacing is as far from its integral as one draw at most. No process is started; no peers: other
generators tell nobody their due times.

    python -m benchmarks.load_pacer
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.clock import NS_PER_S
from harness.load.arrivals import due_times_ns, even_times_ns, unit_gaps
from harness.scenario.loader import load_scenario
from harness.scenario.shape import Stretch
from harness.scenario.shapes import cumulated
from harness.seeds import stream
from tests.kolmogorov import exponential, ks_p, uniform

SEEDS = 100
SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "smoke.yaml"
# Of the table for people, in the order of the figures.
HEADS = ("expected", "mean", "p gaps", "< 5 %", "p places", "< 5 %", "even off", "us a draw")
SHAPES = {
    "steady": "{kind: steady, rate: 60/s}",
    "spike": "{kind: spike, rate: 20/s, spikes: [{at: fault+2s, for: 3s, rate: 300/s}], "
    "repeat: 9s}",
    "ramp": "{kind: ramp, rate: 2/s, to: 120/s, at: baseline, rise: 30s}",
    "step": "{kind: step, rate: 10/s, to: 100/s, at: baseline, by: 10/s, every: 4s}",
    "double_peak": "{kind: double_peak, rate: 10/s, peak: 90/s, at: baseline, again: fault+5s, "
    "rise: 3s, for: 2s, fall: 4s}",
    "diurnal": "{kind: diurnal, rate: 5/s, peak: 120/s, day: 12s}",
    "repayment_day": "{kind: repayment_day, rate: 20/s, at: fault, rise: 5s, for: 5s, fall: 9s}",
    "promotion": "{kind: promotion, rate: 20/s, at: fault, half_life: 2s}",
    "festival_eve": "{kind: festival_eve, rate: 40/s, at: watch, rise: 20s}",
    "quarter_end": "{kind: quarter_end, rate: 50/s, at: watch, rise: 20s}",
    "added": "[{kind: diurnal, rate: 2/s, peak: 30/s, day: 9s}, "
    "{kind: ramp, rate: 0/s, to: 30/s, at: warmup, rise: 40s}, "
    "{kind: promotion, rate: 4/s, at: fault+1s, half_life: 1s}]",
}  # fmt: skip


def measured(name: str, plan: Sequence[Stretch]) -> dict[str, float]:
    """p over the p values of a hundred seeds, the share of them below 5 %, and the cost."""
    total = cumulated(plan, [plan[-1].end_s])[0]
    gaps, places, planned, used_s = [], [], 0, 0.0
    for seed in range(SEEDS):
        dice = stream(seed, f"pacer/{name}")
        began_s = time.process_time()
        due = list(due_times_ns(plan, dice))
        used_s += time.process_time() - began_s
        planned += len(due)
        gaps.append(ks_p(unit_gaps(plan, due), exponential))
        reached = cumulated(plan, [due_ns / NS_PER_S for due_ns in due])
        places.append(ks_p([draws / total for draws in reached], uniform))
    even = list(even_times_ns(plan))
    return {
        "draws_expected": round(total, 1),
        "draws_mean": round(planned / SEEDS, 1),
        "p_of_gaps": round(ks_p(gaps, uniform), 4),
        "gaps_below_5_percent": sum(p < 0.05 for p in gaps) / SEEDS,
        "p_of_places": round(ks_p(places, uniform), 4),
        "places_below_5_percent": sum(p < 0.05 for p in places) / SEEDS,
        "even_off_draws": round(abs(len(even) - total), 3),
        "us_a_draw": round(used_s * 1e6 / planned, 3),
    }


def main() -> int:
    figures = {}
    for name, text in SHAPES.items():
        scenario = load_scenario(SCENARIO, (f"load.shape={text}",), None).scenario
        figures[name] = measured(name, scenario.load.shape.stretches)
        if len(figures) == 1:
            print(f"{'':<14}" + "".join(f"{head:>10}" for head in HEADS))
        print(f"{name:<14}" + "".join(f"{number:>10}" for number in figures[name].values()))
    print(json.dumps({"benchmark": "load_pacer", "figures": figures, "peers": {}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
