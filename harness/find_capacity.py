"""`drawproof capacity`: one drill a rate, until the scenario's steady state breaks.

1. Keep of the scenario its lender, borrowers and baseline expectations; leave out what breaks it.
   Plan the first drill before anything is made or started: mistakes are told, and too few draws.
2. Try rates one after another, a whole drill each: a lender of its own, no faults, open arrivals.
3. Do so again with other seeds, beginning near the knee that is known by then.
4. Write capacity.json and capacity.html beside the drills' run directories.
"""

import json
import math
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.capacity.found import Few, Found, Point, capacity_json
from harness.capacity.search import Knee, Steps, search, tidy
from harness.clock import NS_PER_S
from harness.drill import prepare
from harness.drilled import drill_here
from harness.errors import HarnessError, Problem, ScenarioError
from harness.judge.saturation import own_times
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.plan import Plan, make_plan
from harness.repeats.repeats import folder_for, make_folder
from harness.report.capacity import capacity_html, capacity_text, point_line
from harness.report.write import judge_and_write
from harness.scenario.loader import Loaded, load_scenario
from harness.scenario.model import Scenario
from harness.scenario.shapes import rate_at
from harness.stopping import StopFlag
from harness.terminal import plain

WARMUP_S = 3.0
GROW, EXACT = 1.25, 0.05
# A borrower draws once in this time at most: patience, and the sweeper's longest window.
APART_S = 40.0
NEAR = 0.8
HOLD_MAX_S = 600.0


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


@dataclass(frozen=True, slots=True)
class Setup:
    """What every drill of the searches has in common. where: the place of a key in the scenario's
    file, which is where a mistake is mended, also one that shows at another rate only."""

    asked: Asked
    scenario: Scenario
    steady: tuple[str, ...]
    where: Callable[[str], tuple[str, int]]

    def planned(self, number: int, rate_per_s: float, hold_s: float) -> tuple[Loaded, Plan]:
        """One drill at one rate, by the seed of the search's number. Raises ScenarioError."""
        changes = [*self.asked.overrides, *_changes(self, number, rate_per_s, hold_s)]
        loaded = load_scenario(self.asked.scenario, changes, self.asked.profile)
        return loaded, make_plan(loaded.scenario, self.where)


def find_capacity(asked: Asked) -> int:
    """Returns the exit code: 0 the knee is known, 3 it is not, 1 money was wrong on the way."""
    loaded = load_scenario(asked.scenario, asked.overrides, asked.profile)
    scenario = loaded.scenario
    steady = tuple(one.text for one in scenario.expect if one.phase == "baseline")
    begin_per_s = _first_rate(asked, loaded)
    setup = Setup(asked, scenario, steady, loaded.where)
    setup.planned(0, begin_per_s, asked.hold_s)
    place = make_folder(folder_for(asked.out, "capacity", scenario.name))
    print(
        f"capacity of {scenario.name} · steady state: {'; '.join(steady)} · from "
        f"{begin_per_s:g}/s, {asked.hold_s:g} s each · evidence in {place}"
    )
    stop = StopFlag()
    stop.install()
    knees: list[Knee] = []
    points: list[Point] = []
    for number in range(asked.searches):
        first = begin_per_s
        known = [knee.held_per_s for knee in knees if knee.held_per_s]
        if known:
            first = min(tidy(statistics.median(known) * NEAR), asked.most_per_s)
        steps = Steps(first, GROW, EXACT, asked.most_per_s)

        def attempt(rate_per_s: float, number: int = number) -> Point:
            point = _point(setup, number, rate_per_s, place, stop)
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


def _first_rate(asked: Asked, loaded: Loaded) -> float:
    """Where the first search begins, draws a second: as asked, or what the scenario offers when its
    baseline begins. Raises ScenarioError."""
    scenario = loaded.scenario
    rate_per_s = rate_at(scenario.load.shape.stretches, scenario.phases.start_s("baseline"))
    if not any(one.phase == "baseline" for one in scenario.expect):
        raise _mistake(
            loaded, "expect.baseline", "nothing",
            "at least one expectation: without a steady state none can break",
        )  # fmt: skip
    if asked.first_per_s is not None:
        rate_per_s = asked.first_per_s
        if rate_per_s > asked.most_per_s:
            allowed = f"at most --to, {asked.most_per_s:g}/s"
            problem = Problem("the command line", 0, "--from", f"{rate_per_s:g}/s", allowed)
            raise ScenarioError((problem,))
        return rate_per_s
    if not 1 <= rate_per_s <= asked.most_per_s:
        raise _mistake(
            loaded, "load.shape", f"{rate_per_s:g}/s when baseline begins",
            f"1/s to --to ({asked.most_per_s:g}/s) there, or --from RATE",
        )  # fmt: skip
    return tidy(rate_per_s)


def _mistake(loaded: Loaded, path: str, found: str, allowed: str) -> ScenarioError:
    return ScenarioError((Problem(*loaded.where(path), path, found, allowed),))


def _changes(setup: Setup, number: int, rate_per_s: float, hold_s: float) -> list[str]:
    """The scenario at one steady rate, with nothing that breaks it."""
    load = setup.scenario.load
    new = {
        "seed": setup.scenario.seed + number,
        "phases": {
            "warmup": f"{WARMUP_S:g}s", "baseline": f"{hold_s:g}s", "fault": "1s", "watch": "1s",
        },
        "faults": [],
        "expect": {"baseline": list(setup.steady)},
        "abort": [],
        "load.shape": {"kind": "steady", "rate": f"{rate_per_s:g}/s"},
        "load.borrowers": max(load.borrowers, math.ceil(rate_per_s * APART_S)),
    }  # fmt: skip
    return [f"{key}={json.dumps(value)}" for key, value in new.items()]


def few_draws(setup: Setup, plan: Plan, number: int, rate_per_s: float) -> Few | None:
    """What so few draws can't prove at this rate, and how long it would have to be held."""
    few = [one for one in plan.too_few if one.phase == "baseline"]
    if not few:
        return None
    needed, draws = max(one.needed for one in few), max(1, plan.counts["baseline"].promised)
    longer_s = min(HOLD_MAX_S, 2 * setup.asked.hold_s * needed / draws + WARMUP_S)
    # The same seed and a longer baseline: the same draws, and more after them.
    try:
        longer = setup.planned(number, rate_per_s, longer_s)[1]
    except ScenarioError:  # so many draws have not enough borrowers
        return Few(tuple(map(str, few)), None)
    due_ns = [
        intent.due_ns
        for intent, fate in zip(longer.intents, longer.fates, strict=True)
        if fate == "promised" and intent.counts_in("baseline")
    ]
    enough_s = None
    if len(due_ns) >= needed:
        enough_s = math.ceil((due_ns[needed - 1] + 1) / NS_PER_S - WARMUP_S)
    return Few(tuple(map(str, few)), enough_s)


def _point(setup: Setup, number: int, rate_per_s: float, place: Path, stop: StopFlag) -> Point:
    """One drill at one rate."""
    loaded, plan = setup.planned(number, rate_per_s, setup.asked.hold_s)
    few = few_draws(setup, plan, number, rate_per_s)
    for text in few.lines if few is not None else ():
        print(f"warning: at {rate_per_s:g}/s {text}", file=sys.stderr)
    run = prepare(plan, loaded.text, loaded.files, place)
    drill_here(plan, run, stop)
    view, verdict, _ = judge_and_write(run)
    point = _as_point(view, verdict, number, rate_per_s, setup.asked.hold_s, run.path.name)
    return replace(point, few=few)


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
        promised=baseline.promised,
        p95_ms=p95,
        own=own_times(view.calls, keys),
        reason=plain(verdict.reason),
        wrong=wrong,
        run=run,
    )
