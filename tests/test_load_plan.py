"""The plan of the load: arrivals, intents, outcomes, a borrower's patience. All pure."""

import hashlib
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.columnar import Rows
from harness.load.borrower import Act, Came, patience
from harness.load.funds import funding
from harness.load.intents import plan_intents
from harness.load.outcome import Answer, of_answer, of_trouble
from harness.load.population import plan_population
from harness.scenario.loader import load_scenario
from harness.scenario.model import Patience
from tests.drills import SMOKE

SCENARIO = load_scenario(SMOKE, (), None).scenario
POPULATION = plan_population(SCENARIO)
INTENTS = plan_intents(SCENARIO, POPULATION)
RULES = Patience(5.0, 1.5, 2, 0.3, 1.0, 0.5)


def test_smokes_due_times_and_intents_are_what_they_always_were() -> None:
    """Results that were published rest on them. Whose and how much: see the population's tests."""
    due_ns = " ".join(str(intent.due_ns) for intent in INTENTS).encode()
    assert len(INTENTS) == 1891
    assert hashlib.sha256(due_ns).hexdigest() == (
        "62993b8a0b631c16cb36c1b31ca233484aff41661d0c70528ea4b852565cd8ad"
    )


def test_the_same_seed_gives_the_same_intents_and_another_others() -> None:
    assert plan_intents(SCENARIO, POPULATION) == INTENTS
    other = load_scenario(SMOKE, ("seed=2",), None).scenario
    assert plan_intents(other, plan_population(other)) != INTENTS
    workers = load_scenario(SMOKE, ("load.workers=4",), None).scenario
    assert plan_intents(workers, POPULATION) == INTENTS


def test_about_three_percent_must_be_refused_in_three_ways() -> None:
    people = {b.borrower: b for b in POPULATION}
    kinds: Counter[str] = Counter()
    for intent in INTENTS:
        borrower = people[intent.borrower]
        kinds["over"] += intent.amount_fen > borrower.limit_fen
        kinds["barred"] += intent.purpose == "securities"
        kinds["late"] += borrower.delinquent
    assert all(count > 10 for count in kinds.values()), kinds
    assert 0.02 < sum(kinds.values()) / len(INTENTS) < 0.04


def test_nobody_is_short_of_quota_or_money_who_need_not_be() -> None:
    people = {b.borrower: b for b in POPULATION}
    demand_fen: Counter[int] = Counter()
    for intent in INTENTS:
        if intent.amount_fen <= people[intent.borrower].limit_fen:
            demand_fen[intent.borrower] += intent.amount_fen
    for number, wanted_fen in demand_fen.items():
        assert wanted_fen * 10 <= people[number].limit_fen
    tiers = funding(SCENARIO, POPULATION, INTENTS).tiers
    assert min(one.balance_fen for one in tiers.values()) >= 10 * sum(demand_fen.values())


def test_no_borrower_comes_again_too_soon() -> None:
    last: dict[int, int] = {}
    for intent in INTENTS:
        if intent.borrower in last:
            assert intent.due_ns - last[intent.borrower] >= 20 * NS_PER_S
        last[intent.borrower] = intent.due_ns


def test_hot_borrowers_come_in_crowds_that_have_quota_for_half() -> None:
    hot = load_scenario(SMOKE, ("load.journey.hot=20 %",), None).scenario
    limits = {b.borrower: b.limit_fen for b in POPULATION}
    found = plan_intents(hot, POPULATION)
    assert [i.draw_key for i in found] == [i.draw_key for i in INTENTS]
    assert [i.due_ns for i in found] == sorted(i.due_ns for i in found)
    crowds = Counter((i.borrower, i.due_ns, i.amount_fen) for i in found)
    large = {who: count for who, count in crowds.items() if count > 1}
    assert set(large.values()) == {4}
    assert 0.1 < sum(large.values()) / len(found) < 0.3
    for borrower, _, amount_fen in large:
        assert 2 * amount_fen <= limits[borrower] < 3 * amount_fen


def test_hot_borrowers_of_one_phase_leave_the_others_as_they_are() -> None:
    changes = ("load.journey.hot=20 %", "load.journey.hot_in=fault")
    found = plan_intents(load_scenario(SMOKE, changes, None).scenario, POPULATION)
    always = plan_intents(load_scenario(SMOKE, changes[:1], None).scenario, POPULATION)
    moved = [new.phase for new, old in zip(found, INTENTS, strict=True) if new != old]
    assert set(moved) == {"fault"}
    kept = [new for new, old in zip(found, always, strict=True) if new == old]
    assert len(kept) < len(found)
    assert sum(new.phase == "fault" for new in kept) > 0.98 * sum(
        one.phase == "fault" for one in found
    )


def test_straddling_is_one_attempt_before_the_first_bite() -> None:
    due_s = [i.due_ns / NS_PER_S for i in INTENTS if i.straddling]
    assert due_s
    assert min(due_s) >= 14.5
    assert max(due_s) < 16


@pytest.mark.parametrize(
    ("status", "body", "outcome", "over", "working"),
    [
        (201, {"outcome": "granted"}, "granted", True, False),
        (200, {"outcome": "granted"}, "granted", True, False),
        (201, {"outcome": "repaid"}, "repaid", True, False),
        (200, {}, "unknown", False, False),
        (403, {"final": True, "cause": "risk"}, "refused", True, False),
        (422, {"final": True}, "refused", True, False),
        (409, {"reason": "no-money", "certain": True}, "refused", False, False),
        (503, {"reason": "shed", "certain": True}, "failed", False, False),
        (500, {"certain": True}, "failed", False, False),
        (400, {}, "failed", True, False),
        (413, {}, "failed", True, False),
        (415, {}, "failed", True, False),
        (422, {}, "failed", True, False),
        (200, {"outcome": "closed"}, "failed", True, False),
        (201, {"outcome": "closed"}, "unknown", False, False),
        (410, {"reason": "key-too-old", "certain": True}, "unknown", False, False),
        (503, {"reason": "voided", "certain": False}, "unknown", False, False),
        (409, {"reason": "in-progress"}, "unknown", False, True),
        (202, {"outcome": "in-progress"}, "unknown", False, True),
        (504, {}, "unknown", False, False),
        (503, {}, "unknown", False, False),
        (502, {}, "unknown", False, False),
        (404, {"reason": "unknown-key"}, "unknown", False, False),
        (302, {}, "unknown", False, False),
    ],
)
def test_the_table_of_answers(
    status: int, body: dict[str, object], outcome: str, over: bool, working: bool
) -> None:
    answer = of_answer(status, body)
    assert (answer.outcome, answer.over, answer.working) == (outcome, over, working)


def test_half_a_surrogate_pair_of_a_target_can_be_written_down() -> None:
    """JSON can say it and UTF-8 can't: evidence would end there."""
    told = of_answer(503, {"certain": True, "reason": "\ud800x", "hop": "ledger"})
    rows = Rows.of("tombstones", [(told.hop, told.reason, 1)])
    assert [*rows.column("payout_key")] == ["?x"]


def test_without_an_answer_only_a_connection_that_was_never_made_is_certain() -> None:
    assert of_trouble(connected=False, what="refused").outcome == "failed"
    assert of_trouble(connected=True, what="reset").outcome == "unknown"


def walk(answers: list[Answer], took_s: float = 0.1) -> tuple[list[Act], Answer]:
    """Let a borrower meet these answers in turn; the last one for ever."""
    now = [0]
    acts = patience(0, RULES, random.Random(1), lambda: now[0] >= 30 * NS_PER_S)
    act, made = next(acts), []
    while True:
        made.append(act)
        answer = answers[min(len(made), len(answers)) - 1]
        done_ns = now[0] = act.at_ns + int(min(took_s, act.timeout_s) * NS_PER_S)
        try:
            act = acts.send(Came(answer, done_ns))
        except StopIteration as over:
            return made, over.value


def test_who_is_told_when_to_come_back_does_not_come_sooner() -> None:
    told = Answer("failed", reason="shed", come_back_s=1.4)
    acts, _ = walk([told, GRANTED])
    assert [act.kind for act in acts] == ["press", "press"]
    assert acts[1].at_ns >= round(1.4 * NS_PER_S)


GRANTED = Answer("granted", over=True)
FAILED = Answer("failed", reason="shed")
UNKNOWN = Answer("unknown", reason="timeout")
GONE = Answer("unknown", reason="unknown-key")
VOIDED = Answer("unknown", reason="voided")
CLOSED = Answer("failed", reason="closed", over=True)
WORKING = Answer("unknown", reason="in-progress", working=True)


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ([GRANTED], ["press"]),
        ([FAILED, GRANTED], ["press", "press"]),
        ([UNKNOWN, GRANTED], ["press", "poll"]),
        ([UNKNOWN, WORKING, VOIDED, GRANTED], ["press", "poll", "poll", "press"]),
        ([UNKNOWN, VOIDED, FAILED, FAILED, VOIDED, GRANTED],
         ["press", "poll", "press", "press", "poll", "poll"]),
        ([UNKNOWN, GONE, GRANTED], ["press", "poll", "press"]),
        ([UNKNOWN, Answer("failed", reason="connect-refused"), GRANTED],
         ["press", "poll", "poll"]),
        ([FAILED, FAILED, FAILED], ["press", "press", "press"]),
    ],
)  # fmt: skip
def test_what_a_borrower_does_next(answers: list[Answer], kinds: list[str]) -> None:
    made, _ = walk(answers)
    assert [act.kind for act in made] == kinds


def test_a_lost_press_is_asked_for_in_the_end() -> None:
    """Pressed again because nobody had heard of it: the first may still wait in some queue, so that
    its key is closed, however long nobody answers."""
    made, last = walk([UNKNOWN, GONE, UNKNOWN, GONE, UNKNOWN, GONE])
    assert made[-1].kind == "close"
    assert made[-1].at_ns > 28 * NS_PER_S
    assert last.outcome == "unknown"


NO_MONEY = Answer("refused", "liquidity", "ledger", "no-money")


@pytest.mark.parametrize(
    ("again", "closes", "end"),
    [
        (FAILED, [CLOSED], CLOSED),
        (NO_MONEY, [CLOSED], NO_MONEY),  # that is why nothing came of it
        (FAILED, [FAILED, VOIDED, CLOSED], CLOSED),
        (FAILED, [WORKING, GRANTED], GRANTED),
    ],
)
def test_what_came_to_nothing_is_closed_at_the_deadline(
    again: Answer, closes: list[Answer], end: Answer
) -> None:
    """Not before: a press that is held up may still be paid in time."""
    acts = patience(0, RULES, random.Random(1), lambda: False)
    act, made, told = next(acts), [], iter(closes)
    last = None
    while last is None:
        made.append(act.kind)
        assert act.kind != "close" or act.at_ns >= 5 * NS_PER_S
        if "close" in made:
            answer = next(told)
        else:
            answer = VOIDED if act.kind == "poll" else again if made.count("press") > 1 else UNKNOWN
        try:
            act = acts.send(Came(answer, act.at_ns))
        except StopIteration as over:
            last = over.value
    assert last == end
    assert made.count("press") == 1 + RULES.retries
    assert next(told, None) is None


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from([GRANTED, FAILED, UNKNOWN, GONE, VOIDED, WORKING]), min_size=1, max_size=60
    ),
    st.floats(0, 3),
)
def test_patience_is_bounded(answers: list[Answer], took_s: float) -> None:
    made, last = walk(answers, took_s)
    presses = [act for act in made if act.kind == "press"]
    assert 1 <= len(presses) <= 1 + RULES.retries
    assert [act.n for act in presses] == list(range(1, len(presses) + 1))
    assert made[0].moved == 0
    met = [*answers, *[answers[-1]] * len(made)]
    for before, after, answer in zip(made, made[1:], met, strict=False):
        assert after.moved == before.moved + (answer not in (GONE, VOIDED, WORKING))
    assert all(act.at_ns < 5 * NS_PER_S for act in presses)
    assert all(0 < act.timeout_s <= RULES.attempt_timeout_s for act in made)
    assert made[-1].at_ns <= 32 * NS_PER_S
    for act, after, answer in zip(made, made[1:], answers, strict=False):
        if answer.working:
            assert after.kind == "poll", (act, after)
    if GRANTED in answers[: len(made)]:
        assert last.outcome == "granted"
