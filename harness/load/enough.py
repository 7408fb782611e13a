"""How many borrowers would do, when a scenario has too few. Pure.

In turn it is counted: as many of each kind as have draws due within the time that a borrower rests.
By Zipf's law it is tried, from that number up.
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import islice

from harness.load.choice import NobodyFree, choice_of
from harness.load.population import Person, people
from harness.scenario.model import BORROWERS_MAX, Scenario
from harness.seeds import stream

# The number given is at most so much above one that was tried and is too small.
EXACT = 1.1
STEP = 4


def enough_borrowers(
    scenario: Scenario, wanted: Sequence[tuple[int, bool]], again_ns: int, named: Collection[int]
) -> int | None:
    """The smallest number with which each draw has a borrower, or by Zipf's law one that is at most
    a tenth too large; None when there is none that a scenario may have.

    wanted: (due_ns, by somebody in arrears?) of the draws whose borrower is chosen, in due order.
    named: borrowers whom a trace has for itself.
    """
    counted = _in_turn(scenario, wanted, again_ns, named)
    if counted is None or not scenario.load.population.zipf:
        return counted
    known = list(islice(people(scenario), counted))
    short, fits = counted - 1, counted
    while not _fits(scenario, known[:fits], wanted, again_ns, named):
        if fits == BORROWERS_MAX:
            return None
        short, fits = fits, min(fits * STEP, BORROWERS_MAX)
        known = list(islice(people(scenario), fits))
    while fits > short * EXACT and fits > short + 1:
        between = round((short * fits) ** 0.5)
        if not short < between < fits:
            break
        if _fits(scenario, known[:between], wanted, again_ns, named):
            fits = between
        else:
            short = between
    return fits


def _in_turn(
    scenario: Scenario, wanted: Sequence[tuple[int, bool]], again_ns: int, named: Collection[int]
) -> int | None:
    """The smallest number among whom there are as many of each kind as are wanted at once."""
    lacking = {}
    for flag in (False, True):
        due_ns = [at_ns for at_ns, late in wanted if late is flag]
        lacking[flag] = max(
            (bisect_right(due_ns, at_ns + again_ns - 1) - n for n, at_ns in enumerate(due_ns)),
            default=0,
        )
    if sum(lacking.values()) > BORROWERS_MAX:
        return None
    for person in islice(people(scenario), BORROWERS_MAX):
        if person.borrower not in named:
            lacking[person.delinquent] -= 1
        if max(lacking.values()) <= 0:
            return person.borrower
    return None


def _fits(
    scenario: Scenario,
    population: Sequence[Person],
    wanted: Sequence[tuple[int, bool]],
    again_ns: int,
    named: Collection[int],
) -> bool:
    """Does each draw find a borrower, by the very choices that the plan would make?"""
    free = [person for person in population if person.borrower not in named]
    choice = choice_of(free, stream(scenario.seed, "who"), scenario.load.population.zipf)
    try:
        for due_ns, late in wanted:
            choice.take(delinquent=late, due_ns=due_ns, again_ns=again_ns)
    except NobodyFree:
        return False
    return True
