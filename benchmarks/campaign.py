"""Runs many drills one after another and keeps what each gave, so that a claim can be checked.

    python benchmarks/campaign.py smoke --runs 20 [--resume]
    python benchmarks/campaign.py protections --runs 3 [--resume]

Results go to docs/results/CAMPAIGN.json after every run, with commit and machine; `--resume`
goes on where an earlier call ended. The run directories are kept in runs/campaign/.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.environment import commit, machine
from harness.scenario.model import PROTECTIONS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
KEPT = ROOT / "runs" / "campaign"
FULL, NAIVE = "scenarios/smoke.yaml", "scenarios/smoke-naive.yaml"
IN_NAIVE = ("failover", "retries")
# Nothing is deployed in the smoke drill: a canary has nothing to watch.
SWITCHED = tuple(name for name in PROTECTIONS if name != "canary")


def arms(campaign: str) -> dict[str, list[str]]:
    """Label to the arguments of `drawproof run`."""
    if campaign == "smoke":
        return {"full": [FULL], "naive": [NAIVE]}
    off = {f"full - {name}": [FULL, "--set", f"lender.protections.{name}=off"] for name in SWITCHED}
    on = {
        f"naive + {name}": [NAIVE, "--set", f"lender.protections.{name}=on"]
        for name in SWITCHED
        if name not in IN_NAIVE
    }
    return off | on


def run_one(arguments: list[str]) -> dict[str, Any]:
    """One drill in its own process; what its verdict says."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", "run", *arguments, "--out", folder],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        took_s = round(time.monotonic() - began, 1)
        verdicts = list(Path(folder).glob("*/verdict.json"))
        found = json.loads(verdicts[0].read_text()) if verdicts else None
        if found is None or odd(found):
            shutil.copytree(folder, KEPT / Path(folder).name, symlinks=True)
    return {"exit": done.returncode, "took_s": took_s, "commit": commit(), **digest(found, done)}


def odd(verdict: dict[str, Any]) -> bool:
    """Is this a run whose evidence somebody will want to look at? Doubts, wrong money, or a
    baseline that was not well before anything had been broken."""
    baseline = verdict["guarantee"]["by_phase"].get("baseline", {}).get("count")
    return (
        verdict["verdict"] == "inconclusive"
        or baseline != 1.0
        or any(row["verdict"] != "held" for row in verdict["audit"])
    )


def digest(
    verdict: dict[str, Any] | None, done: subprocess.CompletedProcess[str]
) -> dict[str, Any]:
    """The figures of one run that the tables need."""
    if verdict is None:
        return {"verdict": None, "reason": done.stderr[-500:]}
    guarantee = verdict["guarantee"]
    return {
        "verdict": verdict["verdict"],
        "reason": verdict["reason"],
        "fault_guarantee": guarantee["by_phase"].get("fault", {}).get("count"),
        "fault_guarantee_money": guarantee["by_phase"].get("fault", {}).get("money"),
        "baseline_guarantee": guarantee["by_phase"].get("baseline", {}).get("count"),
        "broken": guarantee["broken"],
        "wrongly_approved": guarantee["wrongly_approved"],
        "rightly_refused": guarantee["rightly_refused"],
        "by_hop": guarantee["by_hop"],
        "recover_s": verdict["recovery"]["recover_s"],
        "baseline_p95_ms": verdict["latency_ms"].get("baseline", {}).get("p95"),
        "audit": sorted({row["verdict"] for row in verdict["audit"]}),
        "late_ms_p99": verdict["generator"]["late_ms_p99"],
        "printed": verdict.get("printed", {}),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """One line an arm: exits, median fault-phase guarantee with its spread, recovery, audit."""
    lines = [f"{'arm':26} {'exits':24} {'fault guarantee':>24} {'recover_s':>14} audit"]
    for label in dict.fromkeys(run["label"] for run in runs):
        mine = [run for run in runs if run["label"] == label]
        exits = " ".join(str(run["exit"]) for run in mine)
        shares = [run["fault_guarantee"] for run in mine if run.get("fault_guarantee") is not None]
        recover = [run["recover_s"] for run in mine if run.get("recover_s") is not None]
        audit = sorted({word for run in mine for word in run.get("audit", ["none"])})
        figures = f"{spread(shares):>24} {spread(recover):>14}"
        lines.append(f"{label:26} {exits[:60]:24} {figures} {','.join(audit)}")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """`median (low..high)`."""
    if not values:
        return "-"
    return f"{statistics.median(values):.3f} ({min(values):.3f}..{max(values):.3f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=("smoke", "protections"))
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    place = RESULTS / f"{arguments.campaign}.json"
    runs: list[dict[str, Any]] = []
    if arguments.resume and place.exists():
        runs = json.loads(place.read_text())["runs"]
    for number in range(arguments.runs):
        for label, command in arms(arguments.campaign).items():
            if sum(run["label"] == label for run in runs) > number:
                continue
            result = {"label": label, "command": " ".join(command), **run_one(command)}
            runs.append(result)
            RESULTS.mkdir(parents=True, exist_ok=True)
            figures = {"campaign": arguments.campaign, "machine": machine(), "runs": runs}
            place.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
            print(
                f"{label}: exit {result['exit']}, {result['took_s']} s: {result['reason']}",
                flush=True,
            )
    print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
