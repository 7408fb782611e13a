"""`drawproof capacity`: one drill a rate, until the scenario's steady state breaks.

1. Keep of the scenario its lender, borrowers and baseline expectations; leave out what breaks it.
2. Try rates one after another, a whole drill each: a lender of its own, no faults, open arrivals.
3. Do so again with other seeds, beginning near the knee that is known by then.
4. Write capacity.json and capacity.html beside the drills' run directories.
"""

import json
import math
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.capacity.found import Found, Point, capacity_json
from harness.capacity.search import Knee, Steps, search, tidy
from harness.drill import Drill, prepare
from harness.errors import HarnessError, Problem, ScenarioError
from harness.judge.saturation import own_times
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.plan import make_plan
from harness.report.capacity import capacity_html, capacity_text, point_line
from harness.report.live import LiveView
from harness.report.write import judge_and_write
from harness.scenario.loader import load_scenario
from harness.scenario.model import Scenario
from harness.scenario.shapes import rate_at
from harness.stopping import StopFlag

WARMUP_S = 3.0
GROW, EXACT = 1.25, 0.05
# A borrower draws once in this time at most: patience, and the sweeper's longest window.
APART_S = 40.0
NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for; rates are draws a second."""

    scenario: Path
    overrides: tuple[str, ...]
    profile: str | None
    first_per_s: float | None
    most_per_s: float
    hold_s: float
    searches: int
    out: Path


def find_capacity(asked: Asked) -> int:
    """Returns the exit code: 0 the knee is known, 3 it is not, 1 money was wrong on the way."""
    scenario = load_scenario(asked.scenario, asked.overrides, asked.profile).scenario
    steady = tuple(one.text for one in scenario.expect if one.phase == "baseline")
    if not steady:
        problem = Problem(
            str(asked.scenario), 0, "expect.baseline", "nothing",
            "at least one expectation: without a steady state none can break",
        )  # fmt: skip
        raise ScenarioError((problem,))
    place = _folder(asked.out, scenario.name)
    print(f"capacity of {scenario.name} · steady state: {'; '.join(steady)} · evidence in {place}")
    stop = StopFlag()
    stop.install()
    knees: list[Knee] = []
    points: list[Point] = []
    for number in range(asked.searches):
        first = asked.first_per_s or _own_rate(asked, scenario)
        known = [knee.held_per_s for knee in knees if knee.held_per_s]
        if known:
            first = tidy(statistics.median(known) * NEAR)
        steps = Steps(min(first, asked.most_per_s), GROW, EXACT, asked.most_per_s)

        def attempt(rate_per_s: float, number: int = number) -> Point:
            point = _point(asked, scenario, steady, number, rate_per_s, place, stop)
            points.append(point)
            print(point_line(point))
            sys.stdout.flush()
            return point

        knees.append(_one_search(steps, attempt))
        if knees[-1].unsure_per_s is not None:
            break
    found = Found(scenario.name, scenario.seed, steady, asked.hold_s, tuple(knees), tuple(points))
    try:
        (place / "capacity.json").write_text(capacity_json(found))
        (place / "capacity.html").write_text(capacity_html(found))
    except OSError as exc:
        raise HarnessError(f"the report could not be written to {place}: {exc}") from exc
    print(capacity_text(found))
    return found.exit_code


def _one_search(steps: Steps, attempt: Callable[[float], Point]) -> Knee:
    trying = search(steps)
    rate = next(trying)
    while True:
        try:
            rate = trying.send(attempt(rate).held)
        except StopIteration as over:
            knee: Knee = over.value
            return knee


def _own_rate(asked: Asked, scenario: Scenario) -> float:
    """What the scenario offers when its baseline begins, draws a second. Raises ScenarioError."""
    rate_per_s = rate_at(scenario.load.shape.stretches, scenario.phases.start_s("baseline"))
    if rate_per_s < 1:
        problem = Problem(
            str(asked.scenario), 0, "load.shape", f"{rate_per_s:g}/s when baseline begins",
            "at least 1/s there, or --from RATE",
        )  # fmt: skip
        raise ScenarioError((problem,))
    return tidy(rate_per_s)


def _folder(out: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    place = out / f"{stamp}-capacity-{name}"
    try:
        place.mkdir(parents=True, mode=0o700)
    except OSError as exc:
        raise HarnessError(f"{place} can't be made: {exc}") from exc
    return place


def _changes(
    asked: Asked, scenario: Scenario, steady: tuple[str, ...], number: int, rate_per_s: float
) -> list[str]:
    """The scenario at one steady rate, with nothing that breaks it."""
    phases = {"warmup": f"{WARMUP_S:g}s", "baseline": f"{asked.hold_s:g}s",
              "fault": "1s", "watch": "1s"}  # fmt: skip
    borrowers = max(scenario.load.borrowers, math.ceil(rate_per_s * APART_S))
    new = {
        "seed": scenario.seed + number,
        "phases": phases,
        "faults": [],
        "expect": {"baseline": list(steady)},
        "abort": [],
        "load.shape": {"kind": "steady", "rate": f"{rate_per_s:g}/s"},
        "load.borrowers": borrowers,
    }
    return [*asked.overrides, *(f"{key}={json.dumps(value)}" for key, value in new.items())]


def _point(
    asked: Asked,
    scenario: Scenario,
    steady: tuple[str, ...],
    number: int,
    rate_per_s: float,
    place: Path,
    stop: StopFlag,
) -> Point:
    """One drill at one rate."""
    changes = _changes(asked, scenario, steady, number, rate_per_s)
    loaded = load_scenario(asked.scenario, changes, asked.profile)
    plan = make_plan(loaded.scenario)
    run = prepare(plan, loaded.text, loaded.files, place)
    live = LiveView(sys.stdout)
    Drill(plan, run, stop, live.show).run()
    live.close()
    run.compact()
    view, verdict, _ = judge_and_write(run)
    return _as_point(view, verdict, number, rate_per_s, asked.hold_s, run.path.name)


def _as_point(
    view: RunView, verdict: Verdict, number: int, rate_per_s: float, hold_s: float, run: str
) -> Point:
    """What one drill says of its rate: only a sound run says anything."""
    baseline = verdict.parts.guarantee.by_phase["baseline"]
    p95 = verdict.parts.latency["baseline"].quantiles["p95"]
    keys = frozenset(
        end.intent.draw_key
        for end in verdict.parts.ends
        if end.promised and end.intent.phase == "baseline"
    )
    wrong = verdict.verdict == "breached" and any(
        finding.verdict == "breached" for finding in verdict.parts.audit
    )
    held = {"held": True, "breached": False}.get(verdict.verdict)
    return Point(
        search=number + 1,
        rate_per_s=rate_per_s,
        held=None if wrong else held,
        granted_per_s=round(baseline.kept / hold_s, 1),
        guarantee=baseline.count,
        p95_ms=p95,
        own=own_times(view.calls, keys),
        reason=verdict.reason,
        wrong=wrong,
        run=run,
    )
