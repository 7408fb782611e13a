"""report.html: one self-contained file; every text of the run is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.judge.disagreements import told_of_disagreements
from harness.judge.doubts import evidence_wrong
from harness.judge.expectations import shown
from harness.judge.truth import BOOKS
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.report import charts
from harness.report.costs import costs
from harness.report.happened import told_of_fault
from harness.report.text import caveat, headline, offered, told_of_gap
from harness.report.timeline import timeline
from harness.units import format_yuan

TEMPLATE = "report.html.j2"


def render(template: str, **values: Any) -> str:
    """A template of this room; every text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["yuan"] = format_yuan
    return environment.get_template(template).render(**values)


def html(view: RunView, verdict: Verdict) -> str:
    """The same run gives the same bytes."""
    return render(
        TEMPLATE,
        view=view,
        scenario=view.scenario,
        verdict=verdict,
        value=verdict.value,
        parts=verdict.parts,
        total=verdict.parts.guarantee.total,
        shown=shown,
        told=not evidence_wrong(view, verdict.parts),
        headline=headline(view, verdict),
        caveat=caveat(view),
        offered=offered(view),
        told_of_gap=told_of_gap,
        disagreements=told_of_disagreements(verdict.value["attribution"]),
        promise=charts.promise_chart(view, verdict.parts),
        latency=charts.latency_chart(view, verdict.parts),
        geometry=charts,
        truth_books=BOOKS,
        timeline=timeline(view),
        costs=costs(view, verdict.parts),
        told_of={fault.name: told_of_fault(view, fault) for fault in view.faults},
    )
