"""Which borrower wants how much, when, and what for: planned once, before anything runs. Pure.

Each intent follows from the seed and its number alone, whatever the number of workers.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from harness.clock import NS_PER_S
from harness.evidence.rows import Borrower, Intent
from harness.load.amounts import amount_fen
from harness.load.arrivals import Arrival, arrivals
from harness.load.choice import NobodyFree, TooFewBorrowers, choice_of
from harness.load.enough import enough_borrowers
from harness.scenario.model import PURPOSES, Scenario
from harness.seeds import draw_key, stream

BARRED_PURPOSE = "securities"
REFUSALS = ("over-quota", "barred-purpose", "delinquent")
# The longest a draw may still be on its way after its deadline: the sweeper's first look in the
# slowest profile, and its second.
SWEEPER_WINDOW_S = 15.0
# A crowd: so many draws of one borrower due at one moment, each for this share of the limit. Which
# of them are granted is up to the lender; how many is not.
CROWD = 4
CROWD_SHARE = 0.4


def plan_intents(scenario: Scenario, population: Sequence[Borrower]) -> tuple[Intent, ...]:
    """All draw intents in due order; due_ns counts from t = 0. Raises TooFewBorrowers."""
    try:
        return intents_due(scenario, population, _arrivals(scenario))
    except NobodyFree as exc:
        wanted = [
            (wish.arrival.due_ns, wish.refusal == "delinquent")
            for wish in _wishes(scenario, _arrivals(scenario))
            if wish.arrival.borrower is None
        ]
        named = scenario.load.shape.named
        needed = enough_borrowers(scenario, wanted, _again_ns(scenario), named)
        raise TooFewBorrowers(needed, scenario.load.population.zipf) from exc


def _arrivals(scenario: Scenario) -> Iterator[Arrival]:
    return arrivals(scenario.load.shape, stream(scenario.seed, "arrivals"))


def _again_ns(scenario: Scenario) -> int:
    """How long a borrower rests after a due time."""
    return int((scenario.load.patience.deadline_s + SWEEPER_WINDOW_S) * NS_PER_S)


class _Wish(NamedTuple):
    """A draw, but for who wants it. refusal: why it must be refused, or empty."""

    arrival: Arrival
    refusal: str
    amount_fen: int
    purpose: str


def _wishes(scenario: Scenario, due: Iterable[Arrival]) -> Iterator[_Wish]:
    load = scenario.load
    dice = stream(scenario.seed, "what")
    for arrival in due:
        refusal = REFUSALS[dice.randrange(3)] if dice.random() < load.journey.must_refuse else ""
        wanted_fen = amount_fen(dice, load.population.amounts)
        purpose = PURPOSES[dice.randrange(len(PURPOSES))]
        given_fen = arrival.amount_fen
        wanted_fen = wanted_fen if given_fen is None else given_fen
        yield _Wish(arrival, refusal, wanted_fen, purpose)


def intents_due(
    scenario: Scenario, population: Sequence[Borrower], due: Iterable[Arrival]
) -> tuple[Intent, ...]:
    """The intents that fall due then, in order: who, how much, what for. Raises NobodyFree.

    Borrowers whom a trace names are left to it, so that nobody comes again too soon.
    """
    load, phases = scenario.load, scenario.phases
    first_fault_s = min((fault.at_s for fault in scenario.faults), default=math.inf)
    named = load.shape.named
    free = [one for one in population if one.borrower not in named] if named else population
    people = choice_of(free, stream(scenario.seed, "who"), load.population.zipf)
    again_ns = _again_ns(scenario)
    planned = []
    for number, wish in enumerate(_wishes(scenario, due)):
        arrival, due_ns, wanted_fen = wish.arrival, wish.arrival.due_ns, wish.amount_fen
        if arrival.borrower is not None:  # by a trace; borrowers are numbered from 1
            borrower = population[arrival.borrower - 1]
        else:
            late = wish.refusal == "delinquent"
            borrower = people.take(delinquent=late, due_ns=due_ns, again_ns=again_ns)
        if wish.refusal == "over-quota":
            wanted_fen += borrower.limit_fen
        barred = wish.refusal == "barred-purpose"
        due_s = due_ns / NS_PER_S
        planned.append(
            Intent(
                intent=number,
                draw_key=draw_key(scenario.seed, number),
                borrower=borrower.borrower,
                group=borrower.group,
                amount_fen=wanted_fen,
                purpose=BARRED_PURPOSE if barred else wish.purpose,
                due_ns=due_ns,
                phase=phases.phase_at(due_s),
                straddling=first_fault_s - load.patience.attempt_timeout_s <= due_s < first_fault_s,
            )
        )
    return _crowded(planned, population, scenario)


def _crowded(
    planned: Sequence[Intent], population: Sequence[Borrower], scenario: Scenario
) -> tuple[Intent, ...]:
    """Hot borrowers: the draws of one become those of a crowd, with the next ones' keys.

    The borrowers of those next ones stay at home, so that still nobody comes again too soon.
    """
    hot, within = scenario.load.journey.hot, scenario.load.journey.hot_in
    if not hot:
        return tuple(planned)
    dice = stream(scenario.seed, "crowds")
    limits = {borrower.borrower: borrower.limit_fen for borrower in population}
    delinquent = {borrower.borrower for borrower in population if borrower.delinquent}
    made = list(planned)
    for first in range(0, len(made) - CROWD + 1, CROWD):
        leader, limit_fen = made[first], limits[made[first].borrower]
        refused = leader.amount_fen > limit_fen or leader.purpose == BARRED_PURPOSE
        # The dice first: the same crowds, wherever they are let in.
        if dice.random() >= hot or refused or leader.borrower in delinquent:
            continue
        if within and {leader.phase, made[first + CROWD - 1].phase} != {within}:
            continue
        each_fen = int(limit_fen * CROWD_SHARE) // 100 * 100
        for place in range(first, first + CROWD):
            key, number = made[place].draw_key, made[place].intent
            made[place] = leader._replace(draw_key=key, intent=number, amount_fen=each_fen)
    return tuple(made)
