"""Repayments as planned and made: of which draws, how much, when; asked again until known."""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.rows import RepayIntent
from harness.load.borrower import LATE_POLL_S, Act, Acts, Came, journey, patience, repaying
from harness.load.intents import plan_intents
from harness.load.outcome import Answer
from harness.load.population import plan_population
from harness.load.repayments import RepayRules, plan_repayments, repay_rules, repayment_of
from harness.scenario.loader import load_scenario
from harness.scenario.model import Patience
from tests.drills import SMOKE

SCENARIO = load_scenario(SMOKE, ("load.journey.repay=40 %",), None).scenario
INTENTS = plan_intents(SCENARIO, plan_population(SCENARIO))
BY_NUMBER = {intent.intent: intent for intent in INTENTS}
PLANNED = plan_repayments(SCENARIO, INTENTS)
RULES = Patience(5.0, 1.5, 2, 0.3, 1.0, 0.5)
OWED = RepayIntent(7, "back", 1, 100_00, 3 * NS_PER_S)

GRANTED = Answer("granted", over=True)
REPAID = Answer("repaid", over=True)
REFUSED = Answer("refused", reason="over-repaid", over=True)
FAILED = Answer("failed", reason="shed")
UNKNOWN = Answer("unknown", reason="timeout")


def test_about_the_share_of_the_draws_is_repaid_half_of_them_in_full() -> None:
    in_time = [i for i in INTENTS if i.due_ns < (41 - 10) * NS_PER_S]
    owed = {one.intent: one for one in PLANNED}
    share = sum(i.intent in owed for i in in_time) / len(in_time)
    assert share == pytest.approx(0.4, abs=0.05)
    full = sum(one.amount_fen == BY_NUMBER[one.intent].amount_fen for one in PLANNED)
    assert full / len(PLANNED) == pytest.approx(0.5, abs=0.07)


def test_nobody_gives_back_more_than_was_drawn_nor_after_the_load_nor_twice() -> None:
    for one in PLANNED:
        intent = BY_NUMBER[one.intent]
        assert one.borrower == intent.borrower
        assert 100 <= one.amount_fen <= intent.amount_fen
        assert one.amount_fen % 100 == 0
        assert 2 * NS_PER_S <= one.due_ns - intent.due_ns <= 10 * NS_PER_S
        assert one.due_ns < 41 * NS_PER_S
    keys = {one.repay_key for one in PLANNED} | {intent.draw_key for intent in INTENTS}
    assert len(keys) == len(PLANNED) + len(INTENTS)
    assert len({one.intent for one in PLANNED}) == len(PLANNED)


def test_a_repayment_follows_from_the_seed_and_its_draw_alone() -> None:
    shuffled = random.Random(1).sample(INTENTS, len(INTENTS))
    assert sorted(plan_repayments(SCENARIO, shuffled)) == sorted(PLANNED)
    other = replace(SCENARIO, seed=SCENARIO.seed + 1)
    assert plan_repayments(other, INTENTS) != PLANNED


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds(one: float, other: float) -> None:
    low, high = sorted((one, other))
    rules = repay_rules(SCENARIO)
    for intent in INTENTS[:40]:
        less = repayment_of(1, intent, replace(rules, share=low))
        assert less is None or less == repayment_of(1, intent, replace(rules, share=high))


def test_without_a_share_nobody_repays() -> None:
    assert plan_repayments(load_scenario(SMOKE, (), None).scenario, INTENTS) == ()
    rules = RepayRules(0.0, 2.0, 10.0, 41.0)
    assert {repayment_of(1, intent, rules) for intent in INTENTS[:200]} == {None}


def walk(acts: Acts, answers: list[Answer], took_s: float = 0.1) -> tuple[list[Act], Answer, int]:
    """Let a borrower meet these answers in turn, the last one for ever: acts, what is returned,
    and when it was over."""
    act, made, done_ns = next(acts), [], 0
    while True:
        made.append(act)
        answer = answers[min(len(made), len(answers)) - 1]
        done_ns = act.at_ns + int(min(took_s, act.timeout_s) * NS_PER_S)
        try:
            act = acts.send(Came(answer, done_ns))
        except StopIteration as over:
            return made, over.value, done_ns


def giving_back(answers: list[Answer], give_up_s: float = 30) -> list[Act]:
    last = [0]
    acts = repaying(OWED, OWED.due_ns, RULES, random.Random(1), lambda: last[0] > give_up_s)

    def watched() -> Acts:
        act = next(acts)
        while True:
            came = yield act
            last[0] = came.done_ns // NS_PER_S
            try:
                act = acts.send(came)
            except StopIteration as over:
                return over.value  # type: ignore[no-any-return]  # a generator's own

    return walk(watched(), answers)[0]


@pytest.mark.parametrize(
    ("answers", "times"),
    [
        ([REPAID], 1),
        ([REFUSED], 1),
        ([FAILED, REPAID], 2),
        ([FAILED], 3),  # the first, and as many as a draw is pressed again
        ([UNKNOWN, REPAID], 2),
        ([UNKNOWN, FAILED, FAILED, FAILED, FAILED, REPAID], 6),  # a failure settles no unknown
        ([FAILED, UNKNOWN, REFUSED], 3),
    ],
)
def test_what_a_borrower_who_repays_does_next(answers: list[Answer], times: int) -> None:
    made = giving_back(answers)
    assert len(made) == times
    assert [act.n for act in made] == list(range(1, times + 1))
    assert {act.kind for act in made} == {"repay"}
    assert {act.owed for act in made} == {OWED}
    assert made[0].at_ns == OWED.due_ns


def test_an_unknown_is_asked_for_until_given_up_and_rarely_after_the_patience() -> None:
    made = giving_back([UNKNOWN], give_up_s=20)
    gaps = [b.at_ns - a.at_ns for a, b in pairwise(made)]
    late = [gap for act, gap in zip(made, gaps, strict=False) if act.at_ns > 8 * NS_PER_S]
    assert min(late) >= LATE_POLL_S * NS_PER_S
    assert 20 * NS_PER_S < made[-1].at_ns < 23 * NS_PER_S


@settings(max_examples=200)
@given(st.lists(st.sampled_from([REPAID, REFUSED, FAILED, UNKNOWN]), min_size=1, max_size=60))
def test_a_repayment_is_bounded_and_ends_with_the_first_final_word(answers: list[Answer]) -> None:
    made = giving_back(answers)
    met = [answers[min(n, len(answers) - 1)] for n in range(len(made))]
    assert not any(answer.over for answer in met[:-1])
    assert all(0 < act.timeout_s <= RULES.attempt_timeout_s for act in made)
    if UNKNOWN not in met:
        assert len(made) <= 1 + RULES.retries


@pytest.mark.parametrize(
    ("answer", "until_s", "kinds"),
    [
        (GRANTED, 10, {"press": 1, "repay": 1}),
        (Answer("refused", over=True), 10, {"press": 1}),
        (FAILED, 10, {"press": 3}),
        (GRANTED, 0, {"press": 1}),  # learned after the load had ended
    ],
)
def test_only_what_was_granted_is_repaid(
    answer: Answer, until_s: int, kinds: dict[str, int]
) -> None:
    known: list[int] = []

    def repay(granted_ns: int) -> Acts:
        known.append(granted_ns)
        return repaying(OWED, max(OWED.due_ns, granted_ns), RULES, random.Random(1), lambda: True)

    draw = patience(0, RULES, random.Random(1), lambda: True)
    answers = [answer] * sum(n for kind, n in kinds.items() if kind == "press") + [REPAID]
    made, last, _ = walk(journey(draw, repay, until_s * NS_PER_S), answers)
    assert Counter(act.kind for act in made) == kinds
    assert last == answer
    assert known == ([NS_PER_S // 10] if "repay" in kinds else [])


def test_one_who_repays_nothing_only_draws() -> None:
    acts = journey(patience(0, RULES, random.Random(1), lambda: True), None, 10 * NS_PER_S)
    made, last, _ = walk(acts, [GRANTED])
    assert [act.kind for act in made] == ["press"]
    assert last == GRANTED
