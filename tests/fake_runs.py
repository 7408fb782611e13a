"""Run directories as the commands over many runs read them: a plan, a scenario, a verdict.

The verdict is the judge's own, of a small whole run in memory; then single figures are changed.
"""

import functools
import json
from pathlib import Path
from typing import Any

from harness.evidence.fingerprint import manifest
from harness.judge.judge import judge
from harness.plan import make_plan
from harness.repeats.arms import Cell
from harness.repeats.child import Ended
from harness.repeats.digest import Digest
from harness.scenario.loader import load_scenario
from tests.run_views import SMOKE, clean

# As few draws as may be: a plan is made at once.
SMALL = ("load.borrowers=500", "load.shape.rate=4/s", "load.shape.steps.0.rate=5/s")
EXITS = {"held": 0, "breached": 1, "inconclusive": 3}


@functools.cache
def _verdict() -> str:
    return json.dumps(judge(clean()).value)


@functools.cache
def _planned(
    scenario: Path, changes: tuple[str, ...], profile: str | None
) -> tuple[str, str, dict[str, object]]:
    loaded = load_scenario(scenario, changes, profile)
    plan = make_plan(loaded.scenario)
    return loaded.scenario.name, loaded.text, manifest(plan.intents, plan.repayments)


def keep_run(
    place: Path,
    seed: int = 7,
    *,
    scenario: Path = SMOKE,
    changes: tuple[str, ...] = (),
    profile: str | None = None,
    verdict: str = "held",
    wrong: tuple[str, ...] = (),
    broken: int = 0,
    p50_ms: float | None = 40.0,
    recover_s: float | None = 0.5,
    promised: int = 1000,
    exit_code: int | None = None,
) -> Path:
    """A run directory; returns it. `broken` of 1000 promised draws, all in the fault phase, by the
    system at a bank, each of 100 yuan; wrong: audit rules that are breached."""
    name, text, planned = _planned(scenario, (*changes, f"seed={seed}"), profile)
    found: dict[str, Any] = json.loads(_verdict())
    code = EXITS[verdict] if exit_code is None else exit_code
    found |= {"scenario": name, "seed": seed}
    found |= {"verdict": verdict, "exit_code": code, "reason": "made up"}
    found["doubts"] = ["made up"] if verdict == "inconclusive" else []
    for share in (found["guarantee"], found["guarantee"]["by_phase"]["fault"]):
        share |= {"promised": promised, "broken": broken, "kept": promised - broken}
        share |= {"promised_fen": promised * 10_000, "broken_fen": broken * 10_000}
        kept = round(1 - broken / promised, 4)
        share |= {"count": kept, "money": kept, "access": kept}
    found["guarantee"]["by_cause"]["system"] = broken
    found["guarantee"]["by_hop"] = {"bank.partner-a": broken}
    for phase in found["latency_ms"].values():
        phase |= {"p50": p50_ms, "beyond_deadline": [] if p50_ms is not None else ["p50"]}
    found["recovery"] |= {"recover_s": recover_s, "stuck": recover_s is None}
    for row in found["audit"]:
        row["verdict"] = "breached" if row["rule"] in wrong else "held"
    place.mkdir(parents=True)
    (place / "run.json").write_text('{"schema": 1, "ended": "complete"}')
    (place / "scenario.yaml").write_text(text)
    (place / "verdict.json").write_text(json.dumps(found))
    environment = {
        "scenario": found["scenario"], "seed": seed, "commit": "abc", "plan": planned,
        "versions": {"drawproof": "0.1.0", "python": "3.11"}, "machine": {"cores": 2},
    }  # fmt: skip
    (place / "environment.json").write_text(json.dumps(environment))
    return place


def figures(seed: int = 7, verdict: str = "held", **values: float | None) -> Digest:
    """A digest without a directory; `drill__guarantee=0.99` is its `drill.guarantee`."""
    found = {key.replace("__", "."): value for key, value in values.items()}
    return Digest(
        run=f"run-{seed}", scenario="demo", seed=seed, profile="full", plan="p", faults="f",
        verdict=verdict, exit_code=EXITS[verdict], reason="because", values=found, at_least=(),
        by={}, wrong=(), commit="abc", versions={}, machine={},
        doubts=("because",) if verdict == "inconclusive" else (),
    )  # fmt: skip


class Played:
    """Stands in for `Child`: a drill is a run directory made up at once. `figures`: of each arm's
    label, what `keep_run` is to be given; a callable of the cell is asked."""

    def __init__(self, figures: dict[str, Any]) -> None:
        self._figures = figures
        self.cells: list[tuple[int, str]] = []

    def __call__(self, cell: Cell, place: Path) -> Ended:
        self.cells.append((cell.number, cell.arm.label))
        found = self._figures.get(cell.arm.label, {})
        given = found(cell) if callable(found) else found
        run = keep_run(
            place / f"run-{len(self.cells)}", cell.seed, scenario=cell.arm.scenario,
            changes=cell.arm.changes, profile=cell.arm.profile, **given,
        )  # fmt: skip
        code: int = json.loads((run / "verdict.json").read_text())["exit_code"]
        return Ended(code, run.resolve())
