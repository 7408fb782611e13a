"""From a scenario to what will be done: pure, and the same for every profile."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.clock import NS_PER_S
from harness.errors import Problem, ScenarioError
from harness.evidence.rows import Borrower, Intent, RepayIntent
from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.fault import Fault
from harness.load.choice import TooFewBorrowers
from harness.load.intents import SWEEPER_WINDOW_S, plan_intents
from harness.load.population import plan_population
from harness.load.repayments import plan_repayments
from harness.load.room import check_room, tier_balances_fen
from harness.scenario.model import FaultSpec, Scenario
from harness.seeds import draw_key


@dataclass(frozen=True, slots=True)
class Plan:
    """intents, repayments: due_ns counts from t = 0. edges: those that lead through a proxy."""

    scenario: Scenario
    population: tuple[Borrower, ...]
    intents: tuple[Intent, ...]
    repayments: tuple[RepayIntent, ...]
    balances_fen: Mapping[str, int]
    faults: tuple[tuple[Fault, float, float | None], ...]
    edges: tuple[str, ...]


def make_plan(scenario: Scenario) -> Plan:
    """Everything that follows from the scenario and its seed. Raises ScenarioError."""
    _check_trace(scenario)
    population = plan_population(scenario)
    try:
        intents = plan_intents(scenario, population)
    except TooFewBorrowers as exc:
        found = str(scenario.load.borrowers)
        problem = Problem(scenario.name, 0, "load.borrowers", found, str(exc))
        raise ScenarioError((problem,)) from exc
    balances_fen = tier_balances_fen(scenario, intents)
    check_room(scenario, population, intents, balances_fen)
    return Plan(
        scenario=scenario,
        population=population,
        intents=intents,
        repayments=plan_repayments(scenario, intents),
        balances_fen=balances_fen,
        faults=tuple(
            (build_fault(addressed(spec, scenario.seed, len(intents))), spec.at_s, spec.for_s)
            for spec in scenario.faults
        ),
        edges=proxied_edges(scenario),
    )


def addressed(spec: FaultSpec, seed: int, intents: int) -> FaultSpec:
    """The same fault, with the key of the planned draw that it is to hit instead of its number.

    Raises ScenarioError when so many are not planned.
    """
    number = dict(spec.params).get("draw")
    if type(number) is not int:
        return spec
    if number >= intents:
        problem = Problem("faults", 0, spec.name, f"draw {number}", f"0 to {intents - 1}")
        raise ScenarioError((problem,))
    named = {**dict(spec.params), "draw": draw_key(seed, number)}
    return replace(spec, params=tuple(sorted(named.items())))


def proxied_edges(scenario: Scenario) -> tuple[str, ...]:
    """Edges that any fault names or needs, in order of name."""
    named = {str(v) for spec in scenario.faults for key, v in spec.params if key == "edge"}
    for spec in scenario.faults:
        needs = CATALOGUE[spec.family, spec.kind].edges
        named.update(needs(spec, scenario.lender) if needs is not None else ())
    return tuple(sorted(named))


def _check_trace(scenario: Scenario) -> None:
    """No borrower of a trace comes again before the draw before must have ended."""
    again_s = scenario.load.patience.deadline_s + SWEEPER_WINDOW_S
    last_ns: dict[int, int] = {}
    problems = []
    for draw in scenario.load.shape.traced:
        if draw.borrower is None:
            continue
        before_ns = last_ns.get(draw.borrower)
        last_ns[draw.borrower] = draw.due_ns
        if before_ns is not None and draw.due_ns - before_ns < again_s * NS_PER_S:
            after_s = (draw.due_ns - before_ns) / NS_PER_S
            found = f"borrower {draw.borrower} again after {after_s:g} s"
            allowed = f"one draw of a borrower in {again_s:g} s (deadline and sweeper)"
            place = f"row {draw.row}, due_s"
            problems.append(Problem(scenario.load.shape.trace, 0, place, found, allowed))
    if problems:
        raise ScenarioError(tuple(problems))
