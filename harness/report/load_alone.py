"""What is written of a load without a drill: that it was one, and what it saw. Nothing else."""

import json
from dataclasses import asdict
from typing import Any

from harness.errors import HarnessError
from harness.evidence.store import RunDir
from harness.judge.completeness import incomplete
from harness.judge.health import GeneratorHealth, generator_health, health_json
from harness.judge.load_alone import PHASES, Seen, latency_words, outcomes, seen, useless
from harness.judge.load_view import load_view
from harness.judge.verdict_json import SCHEMA
from harness.judge.view import RunView
from harness.report.html import render
from harness.report.junit import junit
from harness.report.markdown import summary_md
from harness.terminal import plain

REASON = "a load alone, without a drill: there are no books to judge by"
EXIT_CODE = 3
TEMPLATE = "load_alone.html.j2"
# What verdict.json says of every drill, and nobody can say of this.
UNKNOWN = (
    "guarantee", "latency_ms", "recovery", "amplification", "harm", "stranded", "truth", "breakers",
    "detection", "warnings", "drift", "repayments", "expectations", "audit", "faults",
)  # fmt: skip


def is_load_alone(run: RunDir) -> bool:
    """Does its run.json say so? Raises HarnessError when it can't be read."""
    try:
        found: dict[str, Any] = json.loads((run.path / "run.json").read_text())
        return found.get("load_alone") is True
    except (OSError, ValueError, AttributeError) as exc:
        raise HarnessError(f"{run.path / 'run.json'} can't be read: {exc}") from exc


def write_load_alone(run: RunDir) -> tuple[int, str]:
    """verdict.json and the reports; the exit code, and the summary for the terminal.

    The same evidence gives the same bytes. Raises HarnessError.
    """
    view = load_view(run)
    saw, health = seen(view), generator_health(view)
    doubts = _doubts(view, saw, health)
    text = _summary(view, saw, health, doubts)
    value = _verdict_json(view, saw, health, doubts)
    page = render(TEMPLATE, name=view.scenario.name, seed=view.scenario.seed, text=text)
    run.write_json("verdict.json", value)
    run.write_text("junit.xml", junit(value))
    run.write_text("summary.md", summary_md(value))
    run.write_text("report.html", page)
    return EXIT_CODE, text


def _doubts(view: RunView, saw: Seen, health: GeneratorHealth) -> list[str]:
    """Why not even what it saw may be believed."""
    found = [] if view.ended == "complete" else [f"the load did not complete: {view.ended}"]
    found += [f"the evidence is not what it was: {text}" for text in view.spoilt]
    found += [f"the load's evidence is incomplete: {text}" for text in incomplete(view)]
    if view.cut:
        found.append(f"evidence was cut short: {', '.join(view.cut)}")
    found += useless(saw)
    return [*found, health.reason] if health.verdict != "held" else found


def _summary(view: RunView, saw: Seen, health: GeneratorHealth, doubts: list[str]) -> str:
    due = "planned" if view.ended == "complete" else "due by then"
    lines = [
        f"INCONCLUSIVE (exit {EXIT_CODE}): {REASON}",
        "",
        f"{due:12}{saw.planned:,} draws of {view.scenario.name}, seed {view.scenario.seed}; "
        "its faults and expectations are not used",
        f"the load    {outcomes(saw)}",
    ]
    if view.repay_intents:
        lines.append(f"repaid      {saw.requests.repaid:,} repayments acknowledged")
    lines.append("latency     from the due time to the known grant, over granted draws alone")
    lines += [f"  {phase:10}{latency_words(saw.latency_ms[phase])}" for phase in PHASES]
    if health.verdict == "held":
        lines.append(f"generator   well; bad seconds: {health.bad_seconds}")
    return "\n".join(map(plain, [*lines, *(f"in doubt    {doubt}" for doubt in doubts)]))


def _verdict_json(
    view: RunView, saw: Seen, health: GeneratorHealth, doubts: list[str]
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "scenario": view.scenario.name,
        "seed": view.scenario.seed,
        "verdict": "inconclusive",
        "exit_code": EXIT_CODE,
        "reason": REASON,
        "doubts": doubts,
        **dict.fromkeys(UNKNOWN),
        "generator": health_json(health),
        "load_alone": {
            "planned": saw.planned,
            "ends": saw.ends,
            "refused_as_planned": saw.as_planned,
            "granted_against_plan": saw.against_plan,
            "reasons": saw.why,
            "requests": asdict(saw.requests),
            "granted_latency_ms": {
                phase: {**_rounded(one.quantiles), "count": one.count}
                for phase, one in saw.latency_ms.items()
            },
        },
    }  # fmt: skip


def _rounded(quantiles: Any) -> dict[str, float | None]:
    return {name: None if ms is None else round(ms, 4) for name, ms in quantiles.items()}
