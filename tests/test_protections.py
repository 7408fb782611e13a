"""Protections, one at a time and without a lender: each bites, and without it the harm is there."""

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.doors import door
from harness.load.outcome import COME_BACK_S_MAX, of_answer
from harness.scenario import model
from mock_lender import clock
from mock_lender.places import at_home, site_of
from mock_lender.resilience import page
from mock_lender.resilience.agreement import ASK_AGAIN_S, Agreement
from mock_lender.resilience.breaker import Breaker
from mock_lender.resilience.budget import RetryBudget
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.money import HOLDS_S, MoneyBound
from mock_lender.resilience.outlier import Outliers
from mock_lender.resilience.profile import PROFILES, Settings
from mock_lender.resilience.replicas import Replicas
from mock_lender.resilience.retry import again
from tests.turned_clock import Hand

FULL = Settings.of(PROFILES["full"])
PAGE = Path(__file__).resolve().parent.parent / "docs" / "protections.md"


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()
    monkeypatch.setattr(clock, "time", made)
    return made


def test_the_page_is_of_all_that_there_are() -> None:
    assert PAGE.read_text() == page.page(), "make docs"
    known = {name for names in PROFILES.values() for name in names}
    assert set(page.DOES) == known == set(model.PROTECTIONS)


# -- retry_budget ----------------------------------------------------------------------------


@given(st.lists(st.booleans(), max_size=400))
def test_retries_are_a_fifth_of_the_calls_and_what_was_saved_up(wanted: list[bool]) -> None:
    budget = RetryBudget(FULL)
    retries = 0
    for wants in wanted:
        budget.earn()
        retries += sum(budget.take() for _ in range(2 * wants))
    assert retries <= FULL.retry_tokens + FULL.retry_share * len(wanted)


def test_a_few_retries_are_always_there_and_many_are_not() -> None:
    budget = RetryBudget(FULL)
    assert [budget.take() for _ in range(7)] == [True] * 6 + [False]
    for _ in range(5):
        budget.earn()
    assert [budget.take(), budget.take()] == [True, False]
    assert budget.refused == 2


def test_a_retry_that_the_deadline_forbids_costs_nothing() -> None:
    budget = RetryBudget(FULL)

    async def go() -> int:
        made = 0

        async def fail() -> bool:
            nonlocal made
            made += 1
            return False

        # Nothing is left of it but what a hop keeps back to answer in time.
        deadline = Deadline.from_header(str(round(FULL.margin_s * 1000)))
        await again(fail, lambda ok: not ok, FULL, deadline, 3, budget)
        return made

    assert asyncio.run(go()) == 1
    assert budget.tokens == FULL.retry_tokens


def test_retries_end_when_the_budget_does() -> None:
    async def go(tokens: int) -> tuple[int, float, int]:
        made, budget = 0, RetryBudget(FULL)
        budget.tokens = tokens

        async def fail() -> bool:
            nonlocal made
            made += 1
            return False

        await again(fail, lambda ok: not ok, FULL, None, 3, budget)
        return made, budget.tokens, budget.refused

    assert asyncio.run(go(0)) == (1, 0, 1)
    assert asyncio.run(go(1)) == (2, 0, 1)
    assert asyncio.run(go(5)) == (3, 3, 0)


# -- failover --------------------------------------------------------------------------------


def outliers(*names: str) -> tuple[Outliers, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    return Outliers(names, FULL, lambda name, state: told.append((name, state))), told


def come(some: Outliers, name: str, took_s: float = 0.005, *, failed: bool = False) -> None:
    trial = some.begin(name)
    some.learn(name, took_s, failed=failed, trial=trial)


def test_five_failures_in_a_row_put_a_replica_out_and_a_good_trial_brings_it_back(
    hand: Hand,
) -> None:
    some, told = outliers("a", "b")
    for failed in (True, True, True, True, False, True, True, True, True):
        come(some, "a", failed=failed)
    assert not some.out("a")
    come(some, "a", failed=True)
    assert some.refuses("a")
    hand.turn(FULL.eject_s)
    assert not some.refuses("a")
    assert some.begin("a")
    assert some.refuses("a")  # one call on trial, and no second one
    some.learn("a", 0.005, failed=False, trial=True)
    assert not some.out("a")
    assert told == [("a", "out"), ("a", "in")]


def test_a_gray_replica_is_put_out_by_its_times_alone_and_for_longer_each_time(hand: Hand) -> None:
    some, told = outliers("a", "b")
    for _ in range(5):
        come(some, "b", 0.005)
        come(some, "a", 0.1)
    assert some.refuses("a")
    hand.turn(FULL.eject_s)
    come(some, "a", 0.1)
    assert told == [("a", "out"), ("a", "out")]
    hand.turn(FULL.eject_s)
    assert some.refuses("a")
    hand.turn(FULL.eject_s)
    assert not some.refuses("a")
    slower, _ = outliers("a", "b")
    for _ in range(20):
        come(slower, "b", 0.001)
        come(slower, "a", 0.02)  # twenty times as long, and nobody notices 20 ms
    assert not slower.out("a")


def test_where_the_others_are_not_asked_it_is_held_against_what_it_was(hand: Hand) -> None:
    some, told = outliers("a", "b")
    for _ in range(60):
        come(some, "a", 0.005)
    for _ in range(5):
        come(some, "a", 0.3)
    assert told == [("a", "out")]
    fresh, none = outliers("a", "b")
    for _ in range(20):
        come(fresh, "a", 0.3)  # nothing is known of it, nor of the other
    assert none == []


def test_never_more_than_half_are_out_and_late_outcomes_move_nothing(hand: Hand) -> None:
    some, told = outliers("a", "b", "c")
    for name in ("a", "b", "c"):
        for _ in range(9):
            some.learn(name, 0.005, failed=True, trial=False)
    assert told == [("a", "out")]
    elsewhere, none = outliers("a", "b")
    for _ in range(9):  # the other one's breaker is open
        elsewhere.learn("a", 0.005, failed=True, trial=False, others_out=1)
    assert none == []


def test_an_ended_trial_leaves_room_for_the_next(hand: Hand) -> None:
    some, _ = outliers("a", "b")
    for _ in range(5):
        come(some, "a", failed=True)
    hand.turn(FULL.eject_s)
    some.ended("a", trial=some.begin("a"))
    assert not some.refuses("a")


def test_the_less_busy_of_two_is_asked_and_home_before_others() -> None:
    three = Replicas(["a", "b", "c"], 1, "least_loaded")
    three.begun("a")
    chosen = [three.choose([], lambda _: False) for _ in range(6)]
    assert set(chosen) == {"b", "c"}
    three.over("a")
    home = Replicas(["a", "b"], 1, "least_loaded", {"b"})
    assert {home.choose([], lambda _: False) for _ in range(4)} == {"b"}
    assert home.choose(["b"], lambda _: False) == "a"
    assert home.choose([], lambda name: name == "b") == "a"


def test_panic_is_when_fewer_than_half_are_well() -> None:
    three = Replicas(["a", "b", "c"], 1, "least_loaded")
    assert three.panics(lambda name: name != "a")
    assert not three.panics(lambda name: name == "a")


# -- breaker ---------------------------------------------------------------------------------


def calls_until_open(share: float, calls: int, seed: int) -> int | None:
    breaker = Breaker("bank.own", FULL, lambda _, __: None)
    dice = random.Random(seed)
    for number in range(calls):
        if not breaker.admit():
            return number
        (breaker.bad if dice.random() < share else breaker.good)()
    return None


def test_sixty_percent_open_it_within_two_seconds_of_traffic_and_five_never_do(hand: Hand) -> None:
    """Two seconds of 20 calls a second."""
    opened = [calls_until_open(0.6, 40, seed) for seed in range(300)]
    assert sum(one is None for one in opened) <= 3
    assert [calls_until_open(0.05, 1000, seed) for seed in range(60)] == [None] * 60


def test_refusals_for_a_reason_of_business_never_count(hand: Hand) -> None:
    breaker = Breaker("risk-1", FULL, lambda _, __: None)
    for _ in range(50):
        breaker.admit()
        breaker.answered()
    for _ in range(9):
        breaker.bad()
    assert breaker.state == "closed"
    breaker.bad()
    assert breaker.state == "open"  # they were not among the ten
    hand.turn(FULL.open_s)
    assert breaker.admit()
    breaker.answered()  # whoever says no is there
    assert breaker.state == "closed"


def test_a_clock_that_is_put_back_shuts_nobody_out_until_it_has_caught_up(hand: Hand) -> None:
    """All of it was put out by a clock an hour ahead, which is then put right."""
    hand.turn(3600)
    breaker = Breaker("bank.own", FULL, lambda _, __: None)
    for _ in range(10):
        breaker.admit()
        breaker.bad()
    some, _ = outliers("a", "b")
    for _ in range(5):
        come(some, "a", failed=True)
    mine = Agreement()
    mine.said("risk-1", False)
    assert breaker.refuses
    assert some.refuses("a")
    assert not mine.holds
    hand.turn(-3600)
    assert breaker.admit()
    assert not some.refuses("a")
    assert mine.holds


# -- handshake, money_bound, places ----------------------------------------------------------


def test_whom_most_refuse_is_the_wrong_one_and_asks_again_later(hand: Hand) -> None:
    mine = Agreement()
    mine.said("risk-1", True)
    mine.said("ledger-2", False)
    assert mine.holds
    other = Agreement()
    other.said("risk-1", False)
    assert not other.holds
    hand.turn(ASK_AGAIN_S)
    assert other.holds


def test_a_flood_of_money_is_stopped_within_seconds_and_a_usual_flow_is_not(hand: Hand) -> None:
    usual = MoneyBound(60_000)
    for _ in range(600):
        hand.turn(0.1)
        assert usual.take(100)  # exactly as much as it may
    flood = MoneyBound(60_000)
    paid = 0
    for _ in range(100):
        hand.turn(0.1)
        paid += 1_000 * flood.take(1_000)
    assert paid <= 1_000 * (10 + HOLDS_S)
    assert flood.tripped
    assert flood.refused > 80


def test_sites_are_those_that_the_harness_cuts() -> None:
    assert [site_of(f"risk-{n}") for n in (1, 2, 3, 4)] == ["a", "b", "a", "b"]
    assert site_of("bank.partner-a") is None
    names = ["risk-1", "risk-2", "risk-3"]
    assert at_home("gateway-1", names, ("cells",)) == {"risk-1", "risk-3"}
    assert at_home("gateway-2", names, ("cells",)) == {"risk-2"}
    assert at_home("gateway-1", names, ("failover",)) == frozenset()


def test_whose_cell_is_cut_knocks_elsewhere_and_nobody_else_does() -> None:
    def doors(moved: int, *, cells: bool = True) -> list[int]:
        return [door(2, 10 * who, who, moved, cells=cells) for who in (1, 2, 3, 4)]

    assert doors(0) == doors(2) == [0, 1, 0, 1]
    assert doors(1) == [1, 0, 1, 0]
    assert doors(0, cells=False) == [1, 1, 1, 1]  # whoever it is
    assert doors(1, cells=False) == [0, 0, 0, 0]


def test_a_borrower_comes_back_when_it_is_told_to() -> None:
    shed = {"reason": "shed", "certain": True, "cause": "system", "hop": "gateway"}
    assert of_answer(503, {**shed, "retry_after_ms": 1200}).come_back_s == 1.2
    assert of_answer(503, {**shed, "retry_after_ms": 10**9}).come_back_s == COME_BACK_S_MAX
    for nonsense in ("1200", None, -5, 1.5):
        assert of_answer(503, {**shed, "retry_after_ms": nonsense}).come_back_s == 0
