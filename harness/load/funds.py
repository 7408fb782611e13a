"""The money of each tier in a drill, and what the lender may expect to be asked for. Pure.

A scenario says both as amounts, or as shares of all that is planned to be drawn: the draws, of the
whole run, that nothing forbids.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.clock import NS_PER_S
from harness.evidence.rows import Borrower, Intent
from harness.load.intents import BARRED_PURPOSE
from harness.scenario.model import LenderSpec, Scenario
from harness.scenario.terms import Amount, TierTerms

TIMES = 10


@dataclass(frozen=True, slots=True)
class TierFunds:
    """Of one tier, fen; None: any amount. See harness.scenario.model.TierTerms."""

    balance_fen: int
    hour_limit_fen: int | None = None
    day_limit_fen: int | None = None
    parts: int = 8


@dataclass(frozen=True, slots=True)
class Funding:
    """tiers: by name. forecast_fen: what the lender expects of each hour of its calendar from t = 0
    on; empty where no tier has any terms."""

    tiers: Mapping[str, TierFunds] = field(default_factory=dict)
    forecast_fen: tuple[int, ...] = ()


def funding(
    scenario: Scenario, population: Sequence[Borrower], intents: Sequence[Intent]
) -> Funding:
    """What follows from the scenario's terms and what it plans. A tier of which nothing is said has
    ten times all that is planned: such drills are not about money."""
    lender = scenario.lender
    plenty_fen = TIMES * max(1, sum(intent.amount_fen for intent in intents))
    terms, wanted = dict(lender.tier_terms), _lawful(population, intents)
    whole_fen = sum(intent.amount_fen for intent in wanted)
    tiers = {
        tier: _funds(terms.get(tier, TierTerms()), whole_fen, plenty_fen)
        for tier, _ in lender.tier_shares
    }
    return Funding(tiers, _forecast_fen(scenario, wanted) if terms else ())


def plain_funding(lender: LenderSpec, balance_fen: int) -> Funding:
    """For a lender without a drill: the same balance for each tier, and no forecast. Of its limits
    those that are amounts."""

    def fen(amount: Amount | None) -> int | None:
        return None if amount is None else amount.fen

    terms = {tier: dict(lender.tier_terms).get(tier, TierTerms()) for tier, _ in lender.tier_shares}
    return Funding(
        {
            tier: TierFunds(balance_fen, fen(one.hourly), fen(one.daily), parts=one.parts)
            for tier, one in terms.items()
        }
    )


def _lawful(population: Sequence[Borrower], intents: Sequence[Intent]) -> list[Intent]:
    """Draws that nothing forbids as it was planned."""
    people = {person.borrower: person for person in population}
    return [
        intent
        for intent in intents
        if intent.purpose != BARRED_PURPOSE
        and not people[intent.borrower].delinquent
        and not people[intent.borrower].barred
        and intent.amount_fen <= people[intent.borrower].limit_fen
    ]


def _funds(terms: TierTerms, whole_fen: int, plenty_fen: int) -> TierFunds:
    def fen(amount: Amount) -> int:
        return amount.fen if amount.fen is not None else round((amount.of_demand or 0) * whole_fen)

    return TierFunds(
        balance_fen=plenty_fen if terms.balance is None else fen(terms.balance),
        hour_limit_fen=None if terms.hourly is None else fen(terms.hourly),
        day_limit_fen=None if terms.daily is None else fen(terms.daily),
        parts=terms.parts,
    )


def _forecast_fen(scenario: Scenario, wanted: Sequence[Intent]) -> tuple[int, ...]:
    """By hour: the draws that the shape makes likely, at their mean amount. Of a trace, which is no
    shape, what it plans."""
    shape, calendar = scenario.load.shape, scenario.lender.calendar
    hours = math.ceil(scenario.phases.load_s / calendar.hour_s)
    draws = [0.0] * hours
    for hour in range(hours):
        begins_s, ends_s = hour * calendar.hour_s, (hour + 1) * calendar.hour_s
        for stretch in shape.stretches:
            low_s, high_s = max(begins_s, stretch.start_s), min(ends_s, stretch.end_s)
            if low_s < high_s:
                rates = stretch.rate_at(low_s) + stretch.rate_at(high_s)
                draws[hour] += (high_s - low_s) * rates / 2
    for traced in shape.traced:
        draws[min(hours - 1, int(traced.due_ns / NS_PER_S / calendar.hour_s))] += 1
    mean_fen = sum(intent.amount_fen for intent in wanted) / max(1.0, sum(draws))
    return tuple(round(one * mean_fen * calendar.forecast) for one in draws)
