"""From a scenario to what will be done: pure, and the same for every profile."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.clock import NS_PER_S
from harness.errors import Problem, ScenarioError
from harness.evidence.rows import Borrower, Intent, RepayIntent
from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.fault import Fault
from harness.faults.rules import BookFault
from harness.judge.scorecard import below_for
from harness.load.choice import TooFewBorrowers
from harness.load.foreseen import Count, Fate, Notice, counted, foresee
from harness.load.funds import Funding, funding
from harness.load.intents import SWEEPER_WINDOW_S, plan_intents
from harness.load.law_notices import law_notices
from harness.load.population import plan_population
from harness.load.repayments import plan_repayments
from harness.load.room import check_room
from harness.scenario.model import FaultSpec, Scenario
from harness.scenario.planned import TooFew, too_few
from harness.seeds import draw_key, repay_key

WARNING = "early_warning"
# Kinds of entries that borrowers are told of.
DECIDED = ("risk", "compliance")


@dataclass(frozen=True, slots=True)
class Plan:
    """intents, repayments: due_ns counts from t = 0. edges: those that lead through a proxy.

    fates: of each intent, in their order. counts: by phase and of the `drill`, how many draws there
    are and how many the judge will count as promised. too_few: which expectations so many can't
    support.
    """

    scenario: Scenario
    population: tuple[Borrower, ...]
    intents: tuple[Intent, ...]
    repayments: tuple[RepayIntent, ...]
    funding: Funding
    faults: tuple[tuple[Fault, float, float | None], ...]
    edges: tuple[str, ...]
    fates: tuple[Fate, ...]
    counts: Mapping[str, Count]
    too_few: tuple[TooFew, ...]


def nowhere(path: str) -> tuple[str, int]:
    """The place of a key in a scenario that came from no file."""
    return "the scenario", 0


def make_plan(scenario: Scenario, where: Callable[[str], tuple[str, int]] = nowhere) -> Plan:
    """Everything that follows from the scenario and its seed. where: the place of a key.

    Raises ScenarioError.
    """
    try:
        return _planned(scenario)
    except ScenarioError as exc:
        raise ScenarioError(tuple(_placed(exc.problems, where))) from exc


def _placed(
    problems: Iterable[Problem], where: Callable[[str], tuple[str, int]]
) -> Iterator[Problem]:
    """What is known by its key alone gets its file and line."""
    for problem in problems:
        file, line = where(problem.path)
        yield problem if problem.file else replace(problem, file=file, line=line)


def _planned(scenario: Scenario) -> Plan:
    _check_trace(scenario)
    population = plan_population(scenario)
    try:
        intents = plan_intents(scenario, population)
    except TooFewBorrowers as exc:
        found = str(scenario.load.borrowers)
        raise ScenarioError((Problem("", 0, "load.borrowers", found, str(exc)),)) from exc
    if not intents:
        problem = Problem("", 0, "load.shape", "no draw at all", "at least one draw")
        raise ScenarioError((problem,))
    money = funding(scenario, population, intents)
    check_room(scenario, population, intents, money.tiers)
    repayments = plan_repayments(scenario, intents)
    faults = tuple(
        (build_fault(addressed(spec, scenario, intents)), spec.at_s, spec.for_s)
        for spec in scenario.faults
    )
    baseline_ns, lender = round(scenario.phases.start_s("baseline") * NS_PER_S), scenario.lender
    notices = (
        *notices_of(population, faults, warned=lender.has(WARNING)),
        *law_notices(scenario, told_ahead=lender.has("compliance_first") or lender.has(WARNING)),
    )
    fates = tuple(foresee(population, intents, repayments, notices, baseline_ns))
    counts = counted(intents, fates)
    promised = {phase: count.promised for phase, count in counts.items()}
    offered = {phase: count.promised + count.withheld for phase, count in counts.items()}
    return Plan(
        scenario=scenario,
        population=population,
        intents=intents,
        repayments=repayments,
        funding=money,
        faults=faults,
        edges=proxied_edges(scenario),
        fates=fates,
        counts=counts,
        too_few=too_few(scenario.expect, promised, offered),
    )


def addressed(spec: FaultSpec, scenario: Scenario, intents: Sequence[Intent]) -> FaultSpec:
    """The same fault, with the key of the planned draw that it is to hit instead of its number.

    Raises ScenarioError when there is no such draw, or when it is over before the fault begins, or
    due after it.
    """
    given = dict(spec.params).get("draw", "")
    if given == "":
        return spec
    place, seed, many = f"{spec.path}.draw", scenario.seed, len(intents)
    said = draw_key(seed, given) if type(given) is int else str(given)
    mine = [intent for intent in intents if intent.draw_key == said]
    known = mine or any(repay_key(seed, intent.intent) == said for intent in intents)
    if not known:
        allowed = f"a planned draw: 0 to {many - 1}, or the key of one"
        raise ScenarioError((Problem("", 0, place, repr(str(given)), allowed),))
    lasts_s = scenario.load.patience.deadline_s + SWEEPER_WINDOW_S
    until_s = math.inf if spec.for_s is None else spec.at_s + spec.for_s
    dues_s = [intent.due_ns / NS_PER_S for intent in mine]
    # A repayment comes some time after its draw.
    repays = dict(spec.params).get("operation") == "repay" or not mine
    if not repays and not any(spec.at_s - lasts_s < due_s < until_s for due_s in dues_s):
        found = f"draw {given}, due at {dues_s[0]:.3f} s"
        early_s = max(0.0, spec.at_s - lasts_s)
        allowed = f"one that may be under way meanwhile: due from {early_s:g} to {until_s:g} s"
        raise ScenarioError((Problem("", 0, place, found, allowed),))
    named = {**dict(spec.params), "draw": said}
    return replace(spec, params=tuple(sorted(named.items())))


def notices_of(
    population: Sequence[Borrower],
    faults: Iterable[tuple[Fault, float, float | None]],
    *,
    warned: bool,
) -> Iterator[Notice]:
    """What borrowers will be told of policies and rules that come as faults. warned: by early
    warnings also of what nobody announces, if the lender obeys it at some time."""
    for fault, at_s, for_s in faults:
        if not isinstance(fault, BookFault):
            continue
        until_ns = None if for_s is None else round((at_s + for_s) * NS_PER_S)
        for entry in fault.entries:
            policy = entry["kind"] == "risk"
            lead_s = _number(entry, "in_force_s") or 0
            obeyed = entry["kind"] in DECIDED and entry.get("adopted_s", 0.0) is not None
            if entry.get("announced") or (warned and obeyed):
                forbids, share = entry.get("forbids"), _number(entry, "score_share")
                below = _whole(entry, "score_below")
                yield Notice(
                    from_ns=round((at_s + lead_s) * NS_PER_S),
                    until_ns=until_ns,
                    above_fen=_whole(entry, "above_fen"),
                    forbids=None if forbids is None else str(forbids),
                    law=not policy and entry.get("in_force_s") is not None,
                    score_below=below if share is None else below_for(population, share),
                    stress_bp=_whole(entry, "stress_bp"),
                    keep_bp=_whole(entry, "keep_bp"),
                )


def _number(entry: Mapping[str, object], key: str) -> float | None:
    found = entry.get(key)
    return float(found) if isinstance(found, int | float) else None


def _whole(entry: Mapping[str, object], key: str) -> int | None:
    found = entry.get(key)
    return found if isinstance(found, int) else None


def proxied_edges(scenario: Scenario) -> tuple[str, ...]:
    """Edges that any fault names or needs, or the scenario wants there, in order of name."""
    named = set(scenario.proxied)
    named |= {str(v) for spec in scenario.faults for key, v in spec.params if key == "edge"}
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
