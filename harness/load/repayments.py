"""Who gives back how much of a draw, and when: planned for every draw, done if it is granted. Pure.

A repayment follows from the seed and its intent alone, so that a worker needs nothing but both.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.evidence.rows import Intent, RepayIntent
from harness.scenario.model import Scenario
from harness.seeds import repay_key, stream

FULL_SHARE = 0.5
PART = (0.1, 0.9)


@dataclass(frozen=True, slots=True)
class RepayRules:
    """share of the granted draws; low_s..high_s after the draw was due; none is due from `until_s`
    after t = 0 on."""

    share: float
    low_s: float
    high_s: float
    until_s: float


NOBODY_REPAYS = RepayRules(share=0.0, low_s=0.0, high_s=0.0, until_s=0.0)


def repay_rules(scenario: Scenario) -> RepayRules:
    """What a scenario says of repayments."""
    journey = scenario.load.journey
    return RepayRules(
        share=journey.repay,
        low_s=journey.repay_after_low_s,
        high_s=journey.repay_after_high_s,
        until_s=scenario.phases.load_s,
    )


def repayment_of(seed: int, intent: Intent, rules: RepayRules) -> RepayIntent | None:
    """What the borrower of a draw gives back if it is granted; None: nothing in this run.

    Half of them repay all of it, the others a tenth to nine tenths in whole yuan. Each number is
    drawn whatever comes of the ones before: a larger share only adds repayments.
    """
    if not rules.share:
        return None
    dice = stream(seed, f"repay/{intent.intent}")
    wanted, full = dice.random() < rules.share, dice.random() < FULL_SHARE
    part, after_s = dice.uniform(*PART), dice.uniform(rules.low_s, rules.high_s)
    due_ns = intent.due_ns + int(after_s * NS_PER_S)
    if not wanted or due_ns >= rules.until_s * NS_PER_S:
        return None
    part_fen = max(100, int(intent.amount_fen * part) // 100 * 100)
    return RepayIntent(
        intent=intent.intent,
        repay_key=repay_key(seed, intent.intent),
        borrower=intent.borrower,
        amount_fen=intent.amount_fen if full else min(part_fen, intent.amount_fen),
        due_ns=due_ns,
    )


def plan_repayments(scenario: Scenario, intents: Iterable[Intent]) -> tuple[RepayIntent, ...]:
    """All of a scenario's, in order of their intents; due_ns counts from t = 0."""
    rules = repay_rules(scenario)
    planned = (repayment_of(scenario.seed, intent, rules) for intent in intents)
    return tuple(one for one in planned if one is not None)
