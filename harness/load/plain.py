"""A load without a drill: a scenario against gateways that somebody else runs, by plain Locust.

Its run directory has what was planned and what the load has seen; there are no books in it, so it
can be read, and not be judged.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clock import NS_PER_S
from harness.environment import environment
from harness.errors import Problem, ScenarioError
from harness.evidence.manifest import Manifest
from harness.evidence.recorder import write_rows
from harness.evidence.rows import Intent, RepayIntent
from harness.evidence.store import RunDir
from harness.load.choice import TooFewBorrowers
from harness.load.intents import SWEEPER_WINDOW_S, plan_intents
from harness.load.plan import LoadPlan
from harness.load.population import plan_population
from harness.load.repayments import plan_repayments, repay_rules
from harness.scenario.loader import load_scenario

LEAD_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be sent, before it is known how many workers there are."""

    plan: LoadPlan
    intents: tuple[Intent, ...]
    repayments: tuple[RepayIntent, ...]
    text: str
    files: Mapping[str, bytes]
    name: str
    urls: dict[str, str]


def plan_load(scenario_yaml: str, gateways: Sequence[str]) -> Planned:
    """Raises ScenarioError. The lender takes drill traffic with the token in DRAWPROOF_TOKEN."""
    urls = {f"gateway-{number}": url for number, url in enumerate(gateways, start=1) if url}
    lacking = []
    if not scenario_yaml:
        lacking.append(_problem("--scenario", "nothing", "a scenario file"))
    if not urls:
        lacking.append(_problem("--gateways", "nothing", "at least one URL, or --host"))
    if lacking:
        raise ScenarioError(tuple(lacking))
    loaded = load_scenario(Path(scenario_yaml), (), None)
    scenario = loaded.scenario
    try:
        intents = plan_intents(scenario, plan_population(scenario))
    except TooFewBorrowers as exc:
        found = str(scenario.load.borrowers)
        raise ScenarioError((_problem("load.borrowers", found, str(exc)),)) from exc
    plan = LoadPlan(
        run="",
        seed=scenario.seed,
        workers=1,
        patience=scenario.load.patience,
        quota_per_draw=scenario.load.journey.quota_per_draw,
        load_s=scenario.phases.load_s,
        late_s=scenario.load.patience.deadline_s + SWEEPER_WINDOW_S,
        token=os.environ.get("DRAWPROOF_TOKEN") or secrets.token_hex(16),
        master_port=0,
        repay=repay_rules(scenario),
    )
    repayments = plan_repayments(scenario, intents)
    return Planned(plan, intents, repayments, loaded.text, loaded.files, scenario.name, urls)


def _problem(path: str, found: str, allowed: str) -> Problem:
    return Problem("the command line", 0, path, found, allowed)


def begin(planned: Planned, runs: Path) -> RunDir:
    """The run directory, with the plan in it, marked as cut. Raises HarnessError."""
    run = RunDir.create(runs, planned.name, planned.plan.seed)
    run.write_text("scenario.yaml", planned.text)
    run.write_json("environment.json", environment(planned.name, planned.plan.seed))
    for name, data in planned.files.items():
        run.write_bytes(name, data)
    write_rows(run.stream_path("intents"), "intents", planned.intents)
    write_rows(run.stream_path("repay_intents"), "repay_intents", planned.repayments)
    record(run, "cut", 0, None)
    return run


def record(run: RunDir, ended: str, t0_ns: int, load_end_ns: int | None) -> None:
    """run.json: what the evidence can't say of itself."""
    facts = {"schema": 1, "ended": ended, "t0_ns": t0_ns, "load_end_ns": load_end_ns}
    run.write_json("run.json", facts)


def end(run: RunDir, manifest: Manifest, failure: str | None) -> tuple[int, str]:
    """Compact what is whole; the exit code and the sentence to say. Raises HarnessError."""
    run.compact()
    if failure is not None:
        return 5, f"the load failed: {failure}"
    if not manifest.complete:
        return 3, "the evidence is incomplete: " + "; ".join(manifest.problems())
    offered = sum(one.offered or 0 for one in manifest.shares)
    planned = sum(one.intents for one in manifest.shares)
    text = f"{offered:,} of {planned:,} planned draws offered, the evidence is complete"
    return (0 if offered == planned else 3), text
