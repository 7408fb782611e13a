"""Runs one short drill a planted defect, and one a recipe without any: is each found, by name?

    python -m benchmarks.defects [--only NAME ...] [--resume]

A defect is found when the drill exits 1 and the rule that the lender's own table expects is
breached; a clean arm passes when its audit is held throughout. Recipes are in defect_recipes.py;
one whose faults this version does not know is passed over, and said to be. Results go to
docs/results/defects.json after every run, with commit and machine; `--resume` goes on where an
earlier call ended. Exit 0 when every arm that ran went as it should.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.defect_recipes import arguments, arms
from harness.environment import commit, machine
from harness.judge.audit import RULES
from mock_lender.defects import DEFECTS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "defects.json"
MARKS = {"breached": "X", "held": ".", "inconclusive": "?", None: " "}
SCENARIO_ERROR = 2


def run_one(recipe: str, defect: str | None) -> dict[str, Any]:
    """One drill in its own process; what its verdict says of the money."""
    with tempfile.TemporaryDirectory(prefix="defects-") as folder:
        began_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", "run", *arguments(recipe, defect),
             "--out", folder],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        took_s = round(time.monotonic() - began_s, 1)
        verdicts = list(Path(folder).glob("*/verdict.json"))
        verdict = json.loads(verdicts[0].read_text()) if verdicts else None
    audit = [] if verdict is None else verdict["audit"]
    return {
        "recipe": recipe,
        "defect": defect,
        "commit": commit(),
        "exit": done.returncode,
        "took_s": took_s,
        "reason": done.stderr[-300:] if verdict is None else verdict["reason"],
        "audit": {row["rule"]: row["verdict"] for row in audit},
        "counts": {row["rule"]: row["count"] for row in audit if row["count"]},
    }


def as_it_should(run: dict[str, Any]) -> bool:
    """Was the defect named by its rule, or the sound lender not accused by any?"""
    if run["defect"] is None:
        return bool(run["audit"]) and set(run["audit"].values()) == {"held"}
    rule = DEFECTS[run["defect"]].rule
    return (run["exit"], run["audit"].get(rule)) == (1, "breached")


def matrix(runs: dict[str, dict[str, Any]]) -> str:
    """Arms by rules: X breached, . held, ? inconclusive; the expected one in brackets."""
    lines = [f"{'arm':32} exit {' '.join(f'{rule.number:>4}' for rule in RULES)}"]
    for label, run in runs.items():
        expected = DEFECTS[run["defect"]].rule if run["defect"] else None
        marks = []
        for rule in RULES:
            mark = MARKS[run["audit"].get(rule.name)]
            marks.append(f" [{mark}]" if rule.name == expected else f"  {mark} ")
        ending = "" if as_it_should(run) else "  NOT AS IT SHOULD BE"
        lines.append(f"{label:32} {run['exit']:>4} {' '.join(marks)}{ending}")
    return "\n".join([*lines, *(f"{rule.number:>4} {rule.name}" for rule in RULES)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--resume", action="store_true")
    chosen = parser.parse_args()
    runs: dict[str, dict[str, Any]] = {}
    if (chosen.resume or chosen.only) and RESULTS.exists():
        runs = json.loads(RESULTS.read_text())["runs"]
    for label, (recipe, defect) in arms().items():
        wanted = label in chosen.only if chosen.only else label not in runs
        if not wanted:
            continue
        run = run_one(recipe, defect)
        if run["exit"] == SCENARIO_ERROR:
            print(f"{label}: passed over: {run['reason'].strip()}", flush=True)
            continue
        runs[label] = run
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "machine": machine(),
            "runs": {name: runs[name] for name in arms() if name in runs},
        }
        RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        print(f"{label}: exit {run['exit']}, {run['took_s']} s: {run['reason']}", flush=True)
    print(matrix({name: runs[name] for name in arms() if name in runs}))
    left = [name for name in arms() if name not in runs]
    if left and not chosen.only:
        print(f"not run: {', '.join(left)}")
    well = all(as_it_should(run) for run in runs.values())
    return 0 if well and runs and (chosen.only or not left) else 1


if __name__ == "__main__":
    sys.exit(main())
