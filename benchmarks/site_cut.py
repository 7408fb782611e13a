"""A site that is cut off: what is lost, how soon the other one serves, and whose borrowers notice.

    python -m benchmarks.site_cut

Reads the runs of the catalogue (`python -m benchmarks.catalogue runs --only
site-lost,cut-hits-one-cell`), each drill as it stands and in its second arm: acknowledged draws
that the surviving site did not have (`rpo_draws`), the time until the promise was kept again
(`recover_s`, from the heal; `rto_s`, from the cut, where there is one fault), and of the draws of
the fault phase the share that noticed, by the cell of their borrowers. A draw notices when its
first press was not answered with a grant or a refusal, or more than a second after it was due.
Rounds in doubt by their machine alone are left out, as they are there.

`rto_s` lasts about as long as the cut: a borrower of the cut cell waits for one attempt's time-out
before he asks at the other site, and nobody moves the cell there. Draws are kept all the same, but
their p90 is not what it was.

Results in docs/results/site-cut.json: [median, lowest, highest] of the runs of an arm.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.catalogue_runs import ARMS, KEPT, SCENARIOS, of_arm, runs_of
from benchmarks.results import RESULTS, keep, kept, spreads
from harness.errors import HarnessError
from harness.evidence.tables import read_rows
from harness.judge.spillover import LATE_NS
from harness.repeats.arms import Arm
from harness.suite.catalogue import Drill, find_drills

PLACE = RESULTS / "site-cut.json"
DRILLS = ("site-lost", "cut-hits-one-cell")
# Borrowers with odd numbers belong to the cell at site a (see harness/load/doors.py).
CELLS = ("b", "a")
WELL = ("granted", "refused")


def noticed(run: Path) -> dict[str, float]:
    """Of the draws that were due in the fault phase, the share that noticed, by cell: the judge's
    `spillover`, of both cells. Raises HarnessError when the evidence is not all there."""
    well: dict[int, bool] = {}
    attempts, missing, cut = read_rows(run, "attempts")
    if missing or cut:
        raise HarnessError(f"{run}: attempts are not all there")
    for one in attempts:
        if one.kind == "press" and one.n == 1:
            in_time = one.done_ns is not None and one.done_ns - one.scheduled_ns <= LATE_NS
            well[one.intent] = one.outcome in WELL and in_time
    hits: dict[str, list[bool]] = defaultdict(list)
    for draw in read_rows(run, "intents")[0]:
        if draw.phase == "fault":
            hits[CELLS[draw.borrower % 2]].append(not well.get(draw.intent, False))
    return {cell: sum(found) / len(found) for cell, found in sorted(hits.items())}


def rows(drill: Drill, arm: Arm, name: str, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a run of this arm. before: what was read of runs earlier, some of whose directories are
    gone by now; a run that was never read is left out."""
    found: list[dict[str, Any]] = []
    for seen in of_arm(runs_of(drill, ARMS), arm, drill.name):
        run = KEPT / seen.digest.run
        if not run.exists() and seen.digest.run not in before:
            print(f"{drill.name} {name}: the directory of seed {seen.digest.seed} is gone")
            continue
        found.append(
            {
                "drill": drill.name,
                "arm": name,
                "seed": seen.digest.seed,
                "run": seen.digest.run,
                "commit": seen.digest.commit,
                "rpo_draws": seen.digest.values.get("drill.rpo_draws"),
                "recover_s": seen.digest.values.get("drill.recover_s"),
                "rto_s": seen.digest.values.get("drill.rto_s"),
                "fault_guarantee": seen.digest.values.get("fault.guarantee"),
                "noticed": noticed(run) if run.exists() else before[seen.digest.run]["noticed"],
            }
        )
    return found


def main() -> int:
    every: list[dict[str, Any]] = []
    before = {row["run"]: row for row in kept(PLACE, "runs", resume=True)}
    summary: dict[str, Any] = {}
    for drill in find_drills(SCENARIOS):
        if drill.name not in DRILLS:
            continue
        for name, arm in (("on", drill.on()), ("off", drill.off())):
            mine = rows(drill, arm, name, before)
            if not mine:
                print(f"{drill.name} {name}: not measured")
                continue
            every += mine
            found = summary.setdefault(drill.name, {})[name] = {"runs": len(mine), **spreads(mine)}
            found.pop("seed", None)
            print(f"{drill.name} {name}: {found}")
    keep(PLACE, "runs", every, summary)
    return 0 if all(len(summary.get(name, ())) == 2 for name in DRILLS) else 1


if __name__ == "__main__":
    sys.exit(main())
