"""How far the catalogue of drills can be believed: every drill again and again, in both arms.

    python -m benchmarks.catalogue runs --runs 5 [--mutations 1] [--most 20] [--only NAME,NAME]
    python -m benchmarks.catalogue passes [--set full]
    python -m benchmarks.catalogue judge

runs: each drill so many times as it stands and with its second arm, in pairs of one seed, and each
of its mutations; goes on where an earlier call ended, at most `--most` drills a call. passes: the
set three times, in three orders, each pass resumable too. judge: says it all again of what is
there: held n of n, broken n of n and by which line, expectations nearer than three standard
deviations, arms that do not differ, mutations that break another line, and verdicts that were not
the same in all passes. A round with a run in doubt by its generator or machine alone is left out,
counted, and made up for by another. Runs of more than one commit are judged together, and it is
said of which. Exit code 1: a drill is not sound, was not measured or held in no pass, or the passes
were too few, too long or too different.

Runs lie in runs/catalogue/, a folder a drill and version of its file; results in
docs/results/catalogue.json.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.catalogue_figures import (
    drill_summary,
    faults_of,
    mixed,
    passes_faults,
    passes_summary,
)
from benchmarks.results import RESULTS, keep
from harness.errors import HarnessError, ScenarioError
from harness.judge.health import UNWELL
from harness.repeats.arms import Arm, Cell, seeds_from
from harness.repeats.book import Done, is_repeats, read_done
from harness.repeats.child import Child, Ended
from harness.repeats.repeats import Drive, Repeats, run_repeats
from harness.scenario.entry import FULL_SET, ON
from harness.stopping import Interrupted, StopFlag
from harness.suite.catalogue import LISTED, REVERSED, Drill, find_drills, fingerprint, of_set
from harness.suite.seen import Seen, see
from harness.suite_run import Asked, suite_command

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "scenarios"
KEPT = ROOT / "runs" / "catalogue"
PLACE = RESULTS / "catalogue.json"
ORDERS = (LISTED, REVERSED, "1")
ARMS, MUTATED = "arms", "mutations"
UNKNOWN = "unknown"
# Rounds that may be made up for, of a drill and kind.
MAKE_UP = 3


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


def folder(drill: Drill) -> Path:
    """Where its runs lie; another version of its file has another."""
    return KEPT / f"{drill.name}-{fingerprint(drill)[:8]}"


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
                    _more(drill, arms, number + 1, ARMS, drive)
                if number < mutations and mutated:
                    _more(drill, mutated, number + 1, MUTATED, drive)
            except (ScenarioError, HarnessError) as exc:
                failed.append(f"{drill.name}: {exc}")
                print(f"drawproof: {failed[-1]}", file=sys.stderr, flush=True)
    return failed


def _more(drill: Drill, arms: tuple[Arm, ...], sound: int, kind: str, drive: Drive) -> None:
    """Until so many rounds are sound: one whose machine was not well is made up for."""
    place, rounds = folder(drill) / kind, 0
    while rounds < sound + MAKE_UP:
        done = read_done(place) if is_repeats(place) else []
        wanted = min(sound + len(unwell_rounds(done, drill.name)), sound + MAKE_UP)
        if wanted <= rounds:
            return
        rounds = wanted
        asked = Repeats(
            f"catalogue {kind}", arms, seeds_from(drill.loaded.scenario.seed, rounds), place
        )
        run_repeats(
            asked, drive, lambda text: None if "--resume" in text else print(text, flush=True)
        )


def unwell_rounds(done: Sequence[Done], first: str) -> set[int]:
    """Rounds with a run that is in doubt by its generator or machine, and by nothing else: such a
    run says nothing of its drill. Any other doubt may be the drill's own fault. first: the arm that
    should hold.

    A round in which that was breached stays: beyond doubt, or by wrong money, which no machine
    excuses, and however its other arm ran.
    """
    breached = {one.number for one in done if one.arm == first and one.digest.verdict == "breached"}
    return {
        one.number
        for one in done
        if one.digest.doubts and all(text.startswith(UNWELL) for text in one.digest.doubts)
    } - breached


Ran: TypeAlias = tuple[Done, Seen]


def runs_of(drill: Drill, kind: str) -> list[Ran]:
    """What is there of a drill, in order of seeds."""
    place = folder(drill) / kind
    done = sorted(read_done(place), key=lambda one: one.number) if is_repeats(place) else []
    return [(one, see(place, one.digest)) for one in done]


def of_arm(ran: Sequence[Ran], arm: Arm, first: str) -> list[Seen]:
    """What was seen in an arm's runs, without the rounds that were made up for."""
    left = unwell_rounds([one for one, _ in ran], first)
    return [seen for one, seen in ran if one.arm == arm.label and one.number not in left]


def summary_of(drill: Drill) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """(what its runs say, a row a run); None: there is none."""
    ran, mutated = runs_of(drill, ARMS), runs_of(drill, MUTATED)
    if not ran:
        return None, []
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
    facts = {
        "fingerprint": fingerprint(drill),
        "commits": sorted({one.digest.commit or UNKNOWN for one, _ in (*ran, *mutated)}),
        "rounds_made_up_for": len(unwell_rounds([one for one, _ in ran], drill.name)),
    }
    return {**facts, **found}, [_row(drill, *one) for one in (*ran, *mutated)]


def _row(drill: Drill, one: Done, seen: Seen) -> dict[str, Any]:
    """A run: what can't be computed from the summary."""
    return {
        "drill": drill.name, "arm": one.arm.removeprefix(drill.name).strip() or ON,
        "seed": one.digest.seed, "verdict": one.digest.verdict, "took_s": one.took_s,
        "exit_code": one.digest.exit_code, "reason": one.digest.reason,
        "broke": list(seen.breached), "values": one.digest.values, "commit": one.digest.commit,
        "storage": one.digest.machine.get("storage"),
    }  # fmt: skip


def judge(drills: Sequence[Drill]) -> int:
    """Keep and say what is known of these; the exit code."""
    summary: dict[str, Any] = {"drills": {}}
    rows: list[dict[str, Any]] = []
    ill = 0
    for drill in drills:
        found, mine = summary_of(drill)
        rows += mine
        if found is None:
            ill += 1
            print(f"{drill.name}: not measured")
            continue
        summary["drills"][drill.name] = found
        faults = faults_of(found)
        ill += bool(faults)
        print(f"{drill.name}: {'; '.join(faults) or headline(found)}{mixed(found['commits'])}")
    passes = list(read_passes(drills))
    summary["passes"] = passes_summary(passes)
    summary["passes"]["commits"] = [one["commits"] for one in passes]
    print(json.dumps(summary["passes"], indent=1))
    amiss = passes_faults(summary["passes"])
    of_passes = sorted({commit for one in passes for commit in one["commits"]})
    print(f"passes: {'; '.join(amiss) or 'as they must be'}{mixed(of_passes)}")
    summary["sound"] = len(drills) - ill
    summary["commits"] = sorted({str(row["commit"] or UNKNOWN) for row in rows})
    print(f"{len(drills) - ill} of {len(drills)} drills are sound{mixed(summary['commits'])}")
    keep(PLACE, "runs", rows, summary)
    return 1 if ill or amiss else 0


def headline(found: dict[str, Any]) -> str:
    """Of a sound drill."""
    on, off = found["on"], found["off"]
    named = ", ".join(off["named"])
    second = f"broken by {named} {off['broke_by_them']} of {off['runs']}" if named else "the same"
    return f"held {on['held']} of {on['runs']}, off: {second}"


def pass_folder(drills: Sequence[Drill], order: str) -> Path:
    """Where a pass over these drills lies; other drills, or other versions, have another."""
    prints = hashlib.sha256(" ".join(map(fingerprint, drills)).encode()).hexdigest()
    return KEPT / f"pass-{prints[:8]}-{order}"


def passes(name: str, drills: Sequence[Drill]) -> None:
    """A set in three orders. Raises KeyboardInterrupt when somebody stops it."""
    for order in ORDERS:
        place = pass_folder(drills, order)
        suite_command(Asked(name, SCENARIOS, ON, None, order, KEPT, resume=place))


def read_passes(drills: Sequence[Drill]) -> Iterator[dict[str, Any]]:
    """Each pass that is whole: its order, how long its drills took, its verdicts, and of which
    commits its runs are."""
    for order in ORDERS:
        place = pass_folder(drills, order) / "suite.json"
        value: dict[str, Any] = json.loads(place.read_text()) if place.exists() else {}
        if value and not value["not_run"]:
            yield {
                "order": value["order"],
                "took_s": round(sum(row["took_s"] for row in value["drills"]), 1),
                "verdicts": {row["drill"]: row["verdict"] for row in value["drills"]},
                "commits": sorted({row.get("commit") or UNKNOWN for row in value["drills"]}),
            }


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
    if arguments.what == "passes":
        passes(arguments.name, drills)
    elif arguments.what == "runs":
        only = {name for name in arguments.only.split(",") if name}
        chosen = [drill for drill in drills if not only or drill.name in only]
        stop = StopFlag()
        stop.install()
        try:
            run(chosen, arguments.runs, arguments.mutations, Limited(Child(stop), arguments.most))
        except Enough:
            print(f"{arguments.most} drills were run; the same command goes on")
    return judge(drills)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Interrupted, KeyboardInterrupt) as by:
        sys.exit(f"{by or 'stopped'}: what has been run is kept; the same command goes on")
