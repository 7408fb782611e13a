"""How far the catalogue of drills can be believed: every drill again and again, in both arms.

    python -m benchmarks.catalogue passes [--set full]
    python -m benchmarks.catalogue runs --runs 5 [--mutations 1] [--most 20] [--only NAME,NAME]
    python -m benchmarks.catalogue judge

passes: the set three times, in three orders and with three seeds, as `drawproof suite` runs it; its
runs are the first arm's of three rounds. runs: each drill so many times as it stands and with its
second arm, in pairs of one seed, and each of its mutations; at most `--most` drills a call. Both go
on where an earlier call ended. judge: says it all again of what is there: held n of n, broken n of
n and by which line, expectations nearer than three standard deviations, arms that do not differ,
mutations that break another line, fewer runs than five, and verdicts that were not the same in all
passes. A round with a run in doubt by its generator or machine alone is left out, counted, and made
up for by another.
Runs of more than one commit are judged together, and it is said of which. Exit code 1: a drill is
not sound, was not measured or held in no pass, or the passes were too few, too long or too
different, or a drill of this call could not be run.

Run directories lie in runs/catalogue/; what each gave is a line of docs/results/catalogue/, and the
judgement is docs/results/catalogue.json.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.catalogue_figures import (
    drill_summary,
    faults_of,
    mixed,
    passes_faults,
    passes_summary,
)
from benchmarks.catalogue_runs import (
    ARMS,
    KEPT,
    MUTATED,
    ORDERS,
    SCENARIOS,
    UNKNOWN,
    keep_pass,
    lines_of,
    of_arm,
    pass_folder,
    passes_of,
    run_rounds,
    runs_of,
    unwell_rounds,
)
from benchmarks.results import RESULTS, keep
from harness.errors import HarnessError, ScenarioError
from harness.repeats.arms import Cell
from harness.repeats.child import Child, Ended
from harness.repeats.repeats import Drive
from harness.report.suite import COLUMNS
from harness.scenario.entry import FULL_SET, ON
from harness.scenario.story import CLAIMS
from harness.stopping import Interrupted, StopFlag
from harness.suite.catalogue import Drill, find_drills, fingerprint, of_set
from harness.suite_run import Asked, suite_command

PLACE = RESULTS / "catalogue.json"


class Enough(Exception):
    """As many drills as this call was to run have been run."""


class Limited:
    """Runs so many drills, and then no more."""

    def __init__(self, drive: Drive, most: int) -> None:
        self._drive, self._left = drive, most

    def __call__(self, cell: Cell, place: Path) -> Ended:
        if self._left == 0:
            raise Enough
        self._left -= 1
        return self._drive(cell, place)


def run(drills: Sequence[Drill], runs: int, mutations: int, drive: Drive) -> list[str]:
    """Round after round over all drills, so that what is there early is of all of them; what could
    not be run, in words. Raises Enough, Interrupted and SafetyError."""
    failed: list[str] = []
    for number in range(max(runs, mutations)):
        for drill in drills:
            arms = (drill.on(), drill.off())
            mutated = tuple(drill.mutated(one) for one in drill.entry.mutations)
            try:
                if number < runs:
                    run_rounds(drill, arms, number + 1, ARMS, drive)
                if number < mutations and mutated:
                    run_rounds(drill, mutated, number + 1, MUTATED, drive)
            except (ScenarioError, HarnessError) as exc:
                failed.append(f"{drill.name}: {exc}")
                print(f"drawproof: {failed[-1]}", file=sys.stderr, flush=True)
    return failed


def summary_of(drill: Drill) -> dict[str, Any] | None:
    """What its runs say; None: there is none."""
    ran, mutated = runs_of(drill, ARMS), runs_of(drill, MUTATED)
    if not ran:
        return None
    found = drill_summary(
        drill.name,
        drill.entry,
        drill.loaded.scenario.expect,
        {
            name: of_arm(ran, arm, drill.name)
            for name, arm in (("on", drill.on()), ("off", drill.off()))
        },
        {
            one.label: of_arm(mutated, drill.mutated(one), drill.name)
            for one in drill.entry.mutations
        },
    )
    told = _told(drill)
    for arm in ("on", "off"):
        found[arm]["values"] = {
            key: value for key, value in found[arm]["values"].items() if key in told
        }
    every = [one for one, _ in (*ran, *mutated)]
    facts = {
        "fingerprint": fingerprint(drill),
        "commits": sorted({one.digest.commit or UNKNOWN for one in every}),
        "machines": list({str(one.digest.machine): one.digest.machine for one in every}.values()),
        "rounds_made_up_for": len(unwell_rounds([one for one, _ in ran], drill.name)),
    }
    return {**facts, **found}


def _told(drill: Drill) -> set[str]:
    """The figures that somebody asks for; all others are in the lines of the runs."""
    claimed = {one.measure for one in CLAIMS if one.id in drill.entry.covers}
    expected = {f"{one.phase}.{one.measure}" for one in drill.loaded.scenario.expect}
    return claimed | expected | {drill.entry.differ.measure} | {one.key for one in COLUMNS}


def judge(drills: Sequence[Drill]) -> int:
    """Keep and say what is known of these; the exit code."""
    summary: dict[str, Any] = {"drills": {}}
    ill = 0
    for drill in drills:
        found = summary_of(drill)
        if found is None:
            ill += 1
            print(f"{drill.name}: not measured")
            continue
        summary["drills"][drill.name] = found
        faults = found["faults"] = faults_of(found)
        ill += bool(faults)
        print(f"{drill.name}: {'; '.join(faults) or headline(found)}{mixed(found['commits'])}")
    passes = list(passes_of(drills))
    summary["passes"] = passes_summary(passes)
    summary["passes"]["commits"] = [one["commits"] for one in passes]
    print(json.dumps(summary["passes"], indent=1))
    amiss = passes_faults(summary["passes"])
    of_passes = sorted({commit for one in passes for commit in one["commits"]})
    print(f"passes: {'; '.join(amiss) or 'as they must be'}{mixed(of_passes)}")
    summary["sound"] = len(drills) - ill
    every = {commit for one in summary["drills"].values() for commit in one["commits"]}
    summary["commits"] = sorted(every)
    print(f"{len(drills) - ill} of {len(drills)} drills are sound{mixed(summary['commits'])}")
    kept = {drill.name: len(lines_of(drill)) for drill in drills}
    keep(PLACE, "lines", [{"drill": name, "runs": runs} for name, runs in kept.items()], summary)
    return 1 if ill or amiss else 0


def headline(found: dict[str, Any]) -> str:
    """Of a sound drill."""
    on, off = found["on"], found["off"]
    named = ", ".join(off["named"])
    second = f"broken by {named} {off['broke_by_them']} of {off['runs']}" if named else "the same"
    return f"held {on['held']} of {on['runs']}, off: {second}"


def passes(name: str, drills: Sequence[Drill]) -> None:
    """A set in three orders, those that are kept whole left out. Raises Interrupted and
    KeyboardInterrupt when somebody stops it."""
    stop = StopFlag()
    stop.install()  # once: a signal between two passes must not be lost
    for number, order in enumerate(ORDERS):
        keep_pass(drills, order)
        if order in {one["order"] for one in passes_of(drills)}:
            continue
        place = pass_folder(drills, order)
        asked = Asked(name, SCENARIOS, ON, None, order, KEPT, resume=place, reseed=number)
        stop.check()
        try:
            suite_command(asked, Child(stop))
        finally:
            keep_pass(drills, order)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("runs", "passes", "judge"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mutations", type=int, default=1)
    parser.add_argument("--most", type=int, default=-1, help="drills of this call")
    parser.add_argument("--only", default="", help="these drills, with commas between")
    parser.add_argument("--set", dest="name", default=FULL_SET)
    arguments = parser.parse_args()
    drills = of_set(find_drills(SCENARIOS), arguments.name)
    failed: list[str] = []
    if arguments.what == "passes":
        passes(arguments.name, drills)
    elif arguments.what == "runs":
        only = {name for name in arguments.only.split(",") if name}
        chosen = [drill for drill in drills if not only or drill.name in only]
        stop = StopFlag()
        stop.install()
        try:
            drive = Limited(Child(stop), arguments.most)
            failed = run(chosen, arguments.runs, arguments.mutations, drive)
        except Enough:
            print(f"{arguments.most} drills were run; the same command goes on")
    code = judge(drills)
    for one in failed:
        print(f"could not be run: {one}")
    return 1 if failed else code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Interrupted, KeyboardInterrupt) as by:
        sys.exit(f"{by or 'stopped'}: what has been run is kept; the same command goes on")
