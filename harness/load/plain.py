"""A load without a drill: a scenario against gateways that somebody else runs, by plain Locust.

Its run directory has what was planned and what the load has seen; there are no books in it, so it
can be read, and not be judged.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.clock import NS_PER_S
from harness.environment import environment
from harness.errors import Problem, ScenarioError
from harness.evidence.fingerprint import manifest as fingerprints
from harness.evidence.manifest import Manifest
from harness.evidence.recorder import write_rows
from harness.evidence.rows import Borrower, Intent, RepayIntent
from harness.evidence.store import RunDir
from harness.judge.load_alone import WHOLE, latency_words, outcomes, seen, useless
from harness.judge.load_view import load_view
from harness.load.choice import TooFewBorrowers
from harness.load.intents import SWEEPER_WINDOW_S, plan_intents
from harness.load.plan import LoadPlan
from harness.load.population import plan_population
from harness.load.repayments import plan_repayments, repay_rules
from harness.scenario.loader import load_scenario

LEAD_NS = NS_PER_S
URL = "the URL of a gateway with its scheme and without a path, such as http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be sent, before it is known how many workers there are."""

    plan: LoadPlan
    population: tuple[Borrower, ...]
    intents: tuple[Intent, ...]
    repayments: tuple[RepayIntent, ...]
    text: str
    files: Mapping[str, bytes]
    name: str
    urls: dict[str, str]


def plan_load(scenario_yaml: str, gateways: Sequence[str]) -> Planned:
    """Raises ScenarioError. The lender takes drill traffic with the token in DRAWPROOF_TOKEN."""
    given = [url.strip() for url in gateways if url.strip()]
    urls = {f"gateway-{number}": url for number, url in enumerate(given, start=1)}
    wrong = [_shown(url) for url in given if not _usable(url)]
    lacking = [_problem("--host, --gateways", found, URL) for found in wrong]
    if not scenario_yaml:
        lacking.append(_problem("--scenario", "nothing", "a scenario file"))
    if not urls:
        lacking.append(_problem("--gateways", "nothing", "at least one URL, or --host"))
    if lacking:
        raise ScenarioError(tuple(lacking))
    loaded = load_scenario(Path(scenario_yaml), (), None)
    scenario = loaded.scenario
    try:
        population = plan_population(scenario)
        intents = plan_intents(scenario, population)
    except TooFewBorrowers as exc:
        found = str(scenario.load.borrowers)
        file, line = loaded.where("load.borrowers")
        problem = Problem(file, line, "load.borrowers", found, str(exc))
        raise ScenarioError((problem,)) from exc
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
        cells=scenario.lender.has("cells"),
    )
    repayments = plan_repayments(scenario, intents)
    return Planned(
        plan, population, intents, repayments, loaded.text, loaded.files, scenario.name, urls
    )


def _usable(url: str) -> bool:
    """Is it a URL that a request can be sent to? Without its scheme a host would be taken for one,
    and the requests go elsewhere."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in url)


def _shown(url: str) -> str:
    """Without what may be a password."""
    before, at, host = url.rpartition("@")
    return repr(f"{before.partition('//')[0]}//...@{host}" if at else url)


def _problem(path: str, found: str, allowed: str) -> Problem:
    return Problem("the command line", 0, path, found, allowed)


def begin(planned: Planned, runs: Path) -> RunDir:
    """The run directory, with the plan in it, marked as cut. Raises HarnessError."""
    run = RunDir.create(runs, planned.name, planned.plan.seed)
    run.write_text("scenario.yaml", planned.text)
    known = environment(planned.name, planned.plan.seed, run.path)
    prints = fingerprints(planned.intents, planned.repayments)
    run.write_json("environment.json", {**known, "plan": prints})
    for name, data in planned.files.items():
        run.write_bytes(name, data)
    write_rows(run.stream_path("population"), "population", planned.population)
    write_rows(run.stream_path("intents"), "intents", planned.intents)
    write_rows(run.stream_path("repay_intents"), "repay_intents", planned.repayments)
    record(run, "cut", 0, None)
    return run


def record(run: RunDir, ended: str, t0_ns: int, load_end_ns: int | None) -> None:
    """run.json: what the evidence can't say of itself, and that it is of a load alone."""
    facts = {
        "schema": 1, "load_alone": True, "ended": ended, "t0_ns": t0_ns, "load_end_ns": load_end_ns,
    }  # fmt: skip
    run.write_json("run.json", facts)


def how_ended(manifest: Manifest, lost: str | None) -> str:
    """In the words of run.json."""
    if lost is not None:
        return f"load lost: {lost}"
    whole = all(one.offered == one.intents for one in manifest.shares)
    return "complete" if whole else "not all of it was offered"


def end(run: RunDir, manifest: Manifest, failure: str | None) -> tuple[int, str]:
    """Compact what is whole; the exit code and the sentence to say. Raises HarnessError."""
    run.compact()
    if failure is not None:
        return 5, f"the load failed: {failure}"
    offered = sum(one.offered or 0 for one in manifest.shares)
    planned = sum(one.intents for one in manifest.shares)
    saw = seen(load_view(run))
    text = f"{offered:,} of {planned:,} planned draws offered: {outcomes(saw)}"
    if saw.ends.get("granted"):
        text += f"; {latency_words(saw.latency_ms[WHOLE])}"
    wrong = useless(saw)
    if not manifest.complete:
        wrong.append("the evidence is incomplete: " + "; ".join(manifest.problems()))
    text = "; ".join([text, *wrong])
    if manifest.complete:
        text += "; the evidence is complete"
    return (3 if wrong or offered < planned else 0), text
