"""Runs many drills one after another and keeps what each gave, so that a claim can be checked.

    python benchmarks/campaign.py smoke --runs 20
    python benchmarks/campaign.py protections --runs 6

smoke: the smoke drill and its naive twin, always with their own seed. protections: `drawproof
ablate` of the smoke drill. Both go on where an earlier call ended; run directories are kept in
runs/campaign/, results go to docs/results/CAMPAIGN.json.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, keep
from harness.ablate import ablate_command
from harness.compare_runs import How, Side
from harness.repeats.arms import Arm
from harness.repeats.book import Done
from harness.repeats.child import Child
from harness.repeats.repeats import Repeats, run_repeats
from harness.stopping import Interrupted, StopFlag

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "runs" / "campaign"
FULL, NAIVE = ROOT / "scenarios" / "smoke.yaml", ROOT / "scenarios" / "smoke-naive.yaml"


def smoke(runs: int) -> None:
    """Both drills, so often, with the same draws each time: what differs is the machine's doing."""
    arms = (Arm("full", FULL), Arm("naive", NAIVE))
    seed = arms[0].loaded().scenario.seed
    stop = StopFlag()
    stop.install()
    asked = Repeats("campaign", arms, (seed,) * runs, KEPT / "smoke")
    done = run_repeats(asked, Child(stop), lambda text: print(text, flush=True))
    summary = {arm.label: spread([one for one in done if one.arm == arm.label]) for arm in arms}
    keep(RESULTS / "smoke.json", "runs", [row(one) for one in done], summary)
    print(json.dumps(summary, indent=1))


def row(one: Done) -> dict[str, Any]:
    """What one run gave."""
    return {"arm": one.arm, "round": one.number, "took_s": one.took_s, **one.digest.as_json()}


def spread(done: Sequence[Done]) -> dict[str, Any]:
    """Verdicts counted, and median, lowest and highest of the figures that are looked at."""
    found: dict[str, Any] = {"runs": len(done)}
    for verdict in ("held", "inconclusive", "breached"):
        found[verdict] = sum(one.digest.verdict == verdict for one in done)
    for key in ("baseline.guarantee", "fault.guarantee", "drill.recover_s", "baseline.p95"):
        values = [value for one in done if (value := one.digest.value(key)) is not None]
        if values:
            found[key] = [statistics.median(values), min(values), max(values)]
    return found


def protections(rounds: int) -> int:
    """The exit code of `drawproof ablate`."""
    place = KEPT / "protections"
    code = ablate_command(Side(FULL), (), rounds, How(None, (), KEPT, resume=place))
    value = json.loads((place / "ablate.json").read_text())
    keep(RESULTS / "protections.json", "worth", value.pop("worth"), value)
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=("smoke", "protections"))
    parser.add_argument("--runs", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.campaign == "protections":
        return protections(arguments.runs)
    smoke(arguments.runs)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Interrupted as by:
        sys.exit(f"{by}: what has been run is kept; the same command goes on")
