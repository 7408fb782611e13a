"""Who the borrowers are: groups, limits, what a scorecard knows of them, and the few who may not
borrow. Pure.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from harness.evidence.rows import Borrower
from harness.scenario.model import Scenario
from harness.seeds import stream


@dataclass(frozen=True, slots=True)
class Group:
    """share of the borrowers; the rest are ranges (low, high) that its members are drawn from.

    utilisation_bp: how much of their credit elsewhere they use, ten-thousandths. income_band: 1
    (lowest fifth) to 5.
    """

    share: float
    limit_yuan: tuple[int, int]
    tenure_months: tuple[int, int]
    utilisation_bp: tuple[int, int]
    income_band: tuple[int, int]


# Every limit is at least ten times the largest draw planned by default (AMOUNT_YUAN), so that a
# drill about systems is not one about quota.
GROUPS = {
    "new": Group(0.3, (50_000, 80_000), (0, 11), (2_000, 9_500), (1, 4)),
    "regular": Group(0.5, (80_000, 150_000), (12, 60), (1_000, 8_000), (1, 5)),
    "prime": Group(0.2, (150_000, 300_000), (24, 120), (0, 5_000), (3, 5)),
}
DELINQUENT_SHARE = 0.02
PAST_DUE_DAYS = (1, 90)


class Person(NamedTuple):
    """A borrower without the features that a scorecard knows."""

    borrower: int
    group: str
    limit_fen: int
    delinquent: bool


def people(scenario: Scenario) -> Iterator[Person]:
    """One borrower after another, numbered from 1, without end: each the same however many there
    are."""
    dice = stream(scenario.seed, "population")
    names = list(GROUPS)
    shares = [GROUPS[name].share for name in names]
    number = 0
    while True:
        number += 1
        name = dice.choices(names, shares)[0]
        low, high = GROUPS[name].limit_yuan
        limit_yuan = dice.randrange(low, high + 1, 1000) * scenario.load.population.limits
        delinquent = dice.random() < DELINQUENT_SHARE
        yield Person(number, name, round(limit_yuan) * 100, delinquent)


def plan_population(scenario: Scenario) -> tuple[Borrower, ...]:
    """Every borrower of the scenario, numbered from 1."""
    facts, flags = stream(scenario.seed, "features"), stream(scenario.seed, "flags")
    asked = scenario.load.population
    return tuple(
        Borrower(
            one.borrower, one.group, one.limit_fen, barred=False, delinquent=one.delinquent,
            **_features(GROUPS[one.group], facts, delinquent=one.delinquent),
            # Another share of the one shifts nothing of the other.
            student=flags.random() < asked.students, unverified=flags.random() < asked.unverified,
        )
        for one in islice(people(scenario), scenario.load.borrowers)
    )  # fmt: skip


def _features(group: Group, dice: random.Random, *, delinquent: bool) -> dict[str, int]:
    """What a scorecard looks at. Days past due are what being delinquent means: above zero."""
    found = {
        "tenure_months": dice.randint(*group.tenure_months),
        "utilisation_bp": dice.randint(*group.utilisation_bp),
        "income_band": dice.randint(*group.income_band),
    }
    days = dice.randint(*PAST_DUE_DAYS)
    return {**found, "past_due_days": days if delinquent else 0}
