"""Room enough: a drill about systems or compliance must not be one about quota or money. Pure.

Every borrower has a limit of at least ten times the demand planned for that borrower over the whole
run, every tier ten times its demand; else a refusal for quota or money could be anybody's fault.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.errors import Problem, ScenarioError
from harness.evidence.rows import Borrower, Intent
from harness.load.funds import TIMES, TierFunds
from harness.scenario.model import Scenario
from harness.units import format_yuan

ABOUT_SYSTEMS = ("system", "compliance")


def check_room(
    scenario: Scenario,
    population: Sequence[Borrower],
    intents: Sequence[Intent],
    funds: Mapping[str, TierFunds],
) -> None:
    """Raises ScenarioError that says what to change, by its key alone; drills about risk and
    liquidity may be tight.

    Draws that must be refused for their amount are nobody's demand, and those of a crowd exceed the
    quota on purpose.
    """
    if scenario.cause not in ABOUT_SYSTEMS:
        return
    limits_fen = {person.borrower: person.limit_fen for person in population}
    problems = [
        *_check_limits(scenario, limits_fen, demand_fen(intents, limits_fen)),
        *_check_tiers(scenario, funds, sum(i.amount_fen for i in intents)),
    ]
    if problems:
        raise ScenarioError(tuple(problems))


def demand_fen(intents: Sequence[Intent], limits_fen: Mapping[int, int]) -> Counter[int]:
    """What each borrower wants over the whole run, crowds and what exceeds any quota left out."""
    together = Counter((intent.borrower, intent.due_ns) for intent in intents)
    found: Counter[int] = Counter()
    for intent in intents:
        alone = together[intent.borrower, intent.due_ns] == 1
        if alone and intent.amount_fen <= limits_fen[intent.borrower]:
            found[intent.borrower] += intent.amount_fen
    return found


def _check_limits(
    scenario: Scenario, limits_fen: Mapping[int, int], wanted_fen: Mapping[int, int]
) -> list[Problem]:
    """One problem for all, by the borrower who has the least room."""
    tight = {
        number: TIMES * wanted / limits_fen[number]
        for number, wanted in wanted_fen.items()
        if TIMES * wanted > limits_fen[number]
    }
    if not tight:
        return []
    worst = max(tight, key=lambda number: (tight[number], -number))
    now = scenario.load.population.limits
    enough = math.ceil(now * tight[worst] * 10 + 1e-9) / 10
    found = (
        f"{now:g}, a limit of {format_yuan(limits_fen[worst])} for borrower {worst}, for whom "
        f"{format_yuan(wanted_fen[worst])} are planned ({len(tight)} borrowers have too little)"
    )
    allowed = (
        f"at least {enough:g}, since a drill about {scenario.cause} gives each borrower {TIMES} "
        "times what they want; or a smaller zipf, more borrowers, smaller amounts"
    )
    return [Problem("", 0, "load.population.limits", found, allowed)]


def _check_tiers(
    scenario: Scenario, funds: Mapping[str, TierFunds], whole_fen: int
) -> list[Problem]:
    """Balances, and what may be drawn in an hour or a day: all of it could come in one."""
    problems = []
    for tier, share in scenario.lender.tier_shares:
        least_fen = math.ceil(TIMES * share * whole_fen)
        has = funds[tier]
        bounds = {
            f"lender.tiers.{tier}": has.balance_fen,
            f"lender.tiers.{tier}.hourly": has.hour_limit_fen,
            f"lender.tiers.{tier}.daily": has.day_limit_fen,
        }
        problems += [
            Problem(
                "", 0, path, format_yuan(fen),
                f"at least {format_yuan(least_fen)}: {TIMES} times its part of the draws",
            )
            for path, fen in bounds.items()
            if fen is not None and fen < least_fen
        ]  # fmt: skip
    return problems
