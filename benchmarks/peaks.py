"""The same fault at a peak and at a steady load: by how much does the peak make it worse?

    python -m benchmarks.peaks [--runs 5] [--profile naive]

Six faults of five seconds, each at a fifth and at two thirds of what the gateways have slots
for (peaks.yaml), with the same seeds, steady and peak in turn. Of each: the share of promised draws
that broke in the whole drill, draws and money, how often a draw was pressed, and when the promise
was kept again. *Amplification* is the share broken at the peak ÷ the share broken at the steady
load, in each round; more than 1 says that the peak breaks draws which the fault alone would not.
*Turned away* are presses sent in the baseline, before any fault, that a gateway shed.
Goes on where an earlier call ended; a round in doubt is made up for, three at most.

Runs lie in runs/peaks/PROFILE/; results in docs/results/peaks.json, medians and the spread.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.results import RESULTS
from harness.environment import machine
from harness.evidence.tables import read_rows
from harness.repeats.arms import Arm, seeds_from
from harness.repeats.book import Done, is_repeats, read_done
from harness.repeats.child import Child
from harness.repeats.digest import Digest
from harness.repeats.repeats import Repeats, by_arm, run_repeats
from harness.stopping import Interrupted, StopFlag

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "benchmarks" / "peaks.yaml"
KEPT = ROOT / "runs" / "peaks"
PLACE = RESULTS / "peaks.json"
# Rounds that may be made up for.
MAKE_UP = 3
LOADS = {"steady": "12/s", "peak": "42/s"}
WHEN = "at: fault+1s, for: 5s"
BANK = 'edge: "gateway->bank.partner-a"'
FAULTS = {
    "a bank answers 3 s late": f"{{network: latency, {BANK}, latency: 3s, {WHEN}}}",
    "the way to a bank is cut": f"{{network: timeout, {BANK}, {WHEN}}}",
    "a ledger is frozen": f"{{process: freeze, target: ledger-1, {WHEN}}}",
    "a gateway is frozen": f"{{process: freeze, target: gateway-1, {WHEN}}}",
    "a ledger is 500 ms late": f"{{service: brownout, target: ledger-1, latency: 500ms, {WHEN}}}",
    "the standby is frozen": f"{{database: freeze_standby, {WHEN}}}",
}
SHOWN = ("broken_share", "broken", "broken_fen", "presses_per_draw", "recover_s", "turned_away")


def arms(load: str) -> list[Arm]:
    """One for each fault. Arms of one folder are of the same draws, so each load has its own."""
    return [
        Arm(f"{fault}, {load}", SCENARIO, (f"faults=[{line}]", f"load.shape.rate={LOADS[load]}"))
        for fault, line in FAULTS.items()
    ]


def figures(one: Digest, place: Path) -> dict[str, float | None]:
    """What a drill gave, whose run directory is in `place`."""
    promised, broken = one.value("drill.promised"), one.value("drill.broken")
    return {
        "broken_share": None if not promised or broken is None else broken / promised,
        "broken": broken,
        "broken_fen": one.value("drill.broken_fen"),
        "presses_per_draw": one.value("drill.amplification"),
        "recover_s": one.value("drill.recover_s"),
        "turned_away": turned_away(place / one.run),
        "stuck": float("drill.recover_s" in one.at_least),
    }


def turned_away(run: Path) -> float | None:
    """Of the presses sent in the baseline the share that a gateway shed; None where the run
    directory is gone."""
    if not run.exists():
        return None
    due: dict[str, list[int]] = defaultdict(list)
    for one in read_rows(run, "intents")[0]:
        due[one.phase].append(one.due_ns)
    t0_ns: int = json.loads((run / "run.json").read_text())["t0_ns"]  # due_ns counts from it
    begins_ns, ends_ns = t0_ns + min(due["baseline"]), t0_ns + min(due["fault"])
    shed = [
        one.reason == "shed"
        for one in read_rows(run, "attempts")[0]
        if one.kind == "press" and begins_ns <= (one.sent_ns or 0) < ends_ns
    ]
    return sum(shed) / len(shed) if shed else None


def pairs(done: Sequence[Done], fault: str) -> list[tuple[Digest, Digest]]:
    """Both drills of each round that may be compared: steady, peak."""
    steady, peak = (by_arm(done, f"{fault}, {load}") for load in LOADS)
    rounds = sorted(steady.keys() & peak.keys())
    found = [(steady[number], peak[number]) for number in rounds]
    return [(one, other) for one, other in found if one.counts and other.counts]


def summary_of(done: Sequence[Done], place: Path) -> dict[str, Any]:
    """By fault: [median, lowest, highest] of each figure and of the amplification. place: the
    profile's folder, which has one a load."""
    found: dict[str, Any] = {}
    for fault in FAULTS:
        told = [
            (figures(one, place / "steady"), figures(other, place / "peak"))
            for one, other in pairs(done, fault)
        ]
        times = [
            at_peak["broken_share"] / at_rest["broken_share"]
            for at_rest, at_peak in told
            if at_rest["broken_share"] and at_peak["broken_share"] is not None
        ]
        found[fault] = {
            "pairs": len(told),
            "amplification": spread(times),
            "steady_without_any_broken": sum(one["broken"] == 0 for one, _ in told),
            **{
                load: {
                    **{key: spread([one[key] for one in mine]) for key in SHOWN},
                    "stuck": sum(bool(one["stuck"]) for one in mine),
                }
                for load, mine in zip(LOADS, zip(*told, strict=True), strict=False)
            },
        }
    return found


def spread(values: Sequence[float | None]) -> list[float] | None:
    """[median, lowest, highest] of those that are known; None of none."""
    known = [value for value in values if value is not None]
    return [round(one, 4) for one in (median(known), min(known), max(known))] if known else None


def table(summary: dict[str, Any]) -> str:
    """For people."""
    lines = [f"{'fault':36} pairs  broken steady   broken at peak   times worse   stuck at peak"]
    for fault, row in summary.items():
        if not row["pairs"]:
            lines.append(f"{fault:36} {0:5}")
            continue
        shares = [f"{row[load]['broken_share'][0]:12.1%}" for load in LOADS]
        times = row["amplification"]
        worse = f"{times[0]:8.1f} x" if times else "        -"
        stuck = row["peak"]["stuck"]
        lines.append(f"{fault:36} {row['pairs']:5}  {'   '.join(shares)}   {worse:>13} {stuck:10}")
    return "\n".join(lines)


def drilled(place: Path, runs: int, profile: str) -> list[Done]:
    """All drills of a profile, round after round; a round in doubt is made up for. Raises
    Interrupted when somebody stops it."""
    stop = StopFlag()
    stop.install()
    wanted = 0
    while wanted < runs + MAKE_UP:
        wanted += 1
        for load in LOADS if wanted % 2 else reversed(LOADS):
            one_load(place / load, load, wanted, profile, stop)
        done = known(place)
        if wanted >= runs and min(len(pairs(done, fault)) for fault in FAULTS) >= runs:
            break
    return known(place)


def one_load(place: Path, load: str, rounds: int, profile: str, stop: StopFlag) -> None:
    """So many rounds of one load, less those that are there."""
    chosen = tuple(replace(arm, profile=profile) for arm in arms(load))
    first = chosen[0].loaded().scenario.seed
    asked = Repeats("peaks", chosen, seeds_from(first, rounds), place)
    run_repeats(asked, Child(stop), lambda text: print(text, flush=True))


def known(place: Path) -> list[Done]:
    """What there is of a profile."""
    folders = [place / load for load in LOADS]
    return [one for folder in folders if is_repeats(folder) for one in read_done(folder)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", choices=("naive", "full"), default="naive")
    asked = parser.parse_args()
    try:
        done = drilled(KEPT / asked.profile, asked.runs, asked.profile)
    except Interrupted:
        done = known(KEPT / asked.profile)
    told = (
        json.loads(PLACE.read_text()) if PLACE.exists() else {"machine": machine(), "summary": {}}
    )
    summary = summary_of(done, KEPT / asked.profile)
    commits = sorted({one.digest.commit or "unknown" for one in done})
    told["summary"][asked.profile] = {"commits": commits, "faults": summary}
    PLACE.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    print(table(summary))
    return 0 if min(len(pairs(done, fault)) for fault in FAULTS) >= asked.runs else 3


if __name__ == "__main__":
    sys.exit(main())
