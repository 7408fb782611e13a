"""Protections, one at a time; and the habits of the libraries under them, pinned."""

import asyncio
from pathlib import Path
from typing import cast

import pybreaker
import pytest

from harness.clock import NS_PER_S
from mock_lender import clock
from mock_lender.http import routes
from mock_lender.http.client import HopClient
from mock_lender.http.routes import Routes
from mock_lender.resilience.breaker import Breaker
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.profile import PROFILES, Settings, protections_of
from mock_lender.resilience.replicas import Replicas
from mock_lender.resilience.retry import again
from mock_lender.telemetry import Telemetry

FULL = Settings.of(PROFILES["full"])


class Hand:
    """A clock turned by hand, in place of the service's own."""

    def __init__(self) -> None:
        self.at_ns = 0

    def monotonic_ns(self) -> int:
        return self.at_ns


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()
    monkeypatch.setattr(clock, "time", made)
    return made


def make() -> tuple[Breaker, list[str]]:
    told: list[str] = []
    return Breaker("bank.own", FULL, lambda _, state: told.append(state)), told


def test_fewer_than_ten_calls_never_open_it() -> None:
    breaker, _ = make()
    for _ in range(9):
        assert breaker.admit()
        breaker.bad()
    assert not breaker.refuses


def test_it_opens_at_half_of_the_window_not_at_failures_in_a_row() -> None:
    breaker, told = make()
    for number in range(10):
        assert breaker.admit()
        (breaker.bad if number % 2 else breaker.good)()
    assert breaker.state == pybreaker.STATE_OPEN
    assert told == ["open"]
    healthy, _ = make()
    for number in range(40):
        healthy.admit()
        (healthy.bad if number % 4 == 0 else healthy.good)()
    assert healthy.state == pybreaker.STATE_CLOSED


def opened(hand: Hand) -> tuple[Breaker, list[str]]:
    breaker, told = make()
    for _ in range(10):
        breaker.admit()
        breaker.bad()
    assert not breaker.admit()
    hand.at_ns += int(FULL.open_s * NS_PER_S)
    return breaker, told


def test_after_two_seconds_one_probe_and_no_more(hand: Hand) -> None:
    breaker, told = opened(hand)
    assert not breaker.refuses
    assert breaker.admit()
    assert [breaker.admit() for _ in range(5)] == [False] * 5
    breaker.good()
    assert told == ["open", "half-open", "closed"]
    assert breaker.admit()


def test_a_failed_probe_opens_it_for_another_two_seconds(hand: Hand) -> None:
    breaker, told = opened(hand)
    assert breaker.admit()
    breaker.bad()
    assert told == ["open", "half-open", "open"]
    assert breaker.refuses
    hand.at_ns += int(FULL.open_s * NS_PER_S)
    assert not breaker.refuses


def test_a_cancelled_probe_is_neither_good_nor_bad(hand: Hand) -> None:
    breaker, _ = opened(hand)
    assert breaker.admit()
    breaker.ended()
    assert breaker.state == pybreaker.STATE_OPEN
    assert breaker.refuses


def test_a_probe_that_could_not_be_told_of_leaves_room_for_the_next(hand: Hand) -> None:
    """A full disk: whoever asked is not admitted, and nobody else would ever be."""

    def tell(_: str, state: str) -> None:
        if state == "half-open" and full:
            raise OSError("No space left")

    full = [True]
    breaker = Breaker("bank.own", FULL, tell)
    for _ in range(10):
        breaker.admit()
        breaker.bad()
    hand.at_ns += int(FULL.open_s * NS_PER_S)
    with pytest.raises(OSError, match="No space"):
        breaker.admit()
    full.clear()
    assert not breaker.refuses
    assert breaker.admit()
    breaker.good()
    assert breaker.state == pybreaker.STATE_CLOSED


def test_late_outcomes_do_not_move_an_open_breaker(hand: Hand) -> None:
    breaker, told = opened(hand)
    breaker.bad()
    breaker.good()
    assert told == ["open"]
    assert not breaker.refuses


def test_what_was_sent_before_it_opened_is_not_taken_for_the_probe(hand: Hand) -> None:
    breaker, told = make()
    before = breaker.era
    for _ in range(10):
        breaker.admit()
        breaker.bad(before)
    hand.at_ns += int(FULL.open_s * NS_PER_S)
    assert breaker.admit()
    for late in (breaker.good, breaker.bad, breaker.answered, breaker.ended):
        late(before)
    assert told == ["open", "half-open"]
    assert not breaker.admit()  # the probe is still under way
    breaker.good(breaker.era)
    assert told == ["open", "half-open", "closed"]


def test_a_closed_breaker_starts_from_nothing(hand: Hand) -> None:
    breaker, _ = opened(hand)
    breaker.admit()
    breaker.good()
    for _ in range(9):
        breaker.bad()
    assert breaker.state == pybreaker.STATE_CLOSED


def test_pybreaker_still_has_the_habits_we_work_around() -> None:
    """If one of these fails, the library has changed: look at resilience/breaker.py again."""
    plain = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=3600, throw_new_error_on_trip=False)
    with pytest.raises(ZeroDivisionError), plain.calling():
        _ = 1 / 0
    assert plain.current_state == pybreaker.STATE_OPEN
    plain.half_open()
    entered = 0
    for _ in range(3):
        with plain.calling():  # half open admits all of them
            entered += 1
            plain.half_open()
    assert entered == 3
    excluding = pybreaker.CircuitBreaker(fail_max=2, exclude=[KeyError])
    for error in (ValueError, KeyError, ValueError):
        with pytest.raises(error), excluding.calling():
            raise error
    assert excluding.fail_counter == 1  # the excluded one counted as a success


def test_profiles_and_single_protections() -> None:
    without = protections_of("full", {"breaker": False})
    assert without == tuple(name for name in PROFILES["full"] if name != "breaker")
    assert protections_of("none", {"breaker": True}) == ("breaker",)
    assert Settings.of(()).payout_timeout_s == 10
    assert Settings.of(()).tries == 1
    assert FULL.sweeper_first_look_s == 2


def test_replicas_in_turn_and_passing_over() -> None:
    both = Replicas(["a", "b"], 1, "turns")
    turns = [both.choose([], lambda _: False) for _ in range(4)]
    assert sorted(turns[:2]) == ["a", "b"]
    assert turns[:2] == turns[2:]
    assert {both.choose([], lambda name: name == "a") for _ in range(4)} == {"b"}
    assert both.choose(["a"], lambda _: False) == "b"
    assert both.choose(["a", "b"], lambda _: True) in ("a", "b")
    alone = Replicas(["a", "b"], 2, "always")
    assert {alone.choose(["b"], lambda _: True) for _ in range(3)} == {"b"}


def test_home_is_asked_first_until_it_has_too_much_under_way() -> None:
    def well(_: str) -> bool:
        return False

    near = Replicas(["a", "b"], 1, "least_loaded", ["a"], spill=3)
    for _ in range(3):
        assert near.choose([], well) == "a"
        near.begun("a")
    assert near.choose([], well) == "b"
    assert near.choose([], lambda name: name == "b") == "a", "nobody else is well"
    assert near.choose(["b"], well) == "a", "the other was asked already"
    near.begun("b")
    assert near.choose([], well) == "a", "the other has calls too"
    near.over("b")
    near.over("a")
    assert near.choose([], well) == "a"
    apart = Replicas(["a", "b"], 1, "least_loaded", ["a"])
    for _ in range(50):
        assert apart.choose([], well) == "a"
        apart.begun("a")


def test_the_least_loaded_of_those_at_home_decides_whether_others_help() -> None:
    four = Replicas(["a1", "b1", "a2", "b2"], 1, "least_loaded", ["a1", "a2"], spill=2)
    for _ in range(5):
        four.begun("a1")
    assert {four.choose([], lambda _: False) for _ in range(4)} == {"a2"}
    four.begun("a2")
    four.begun("a2")
    assert {four.choose([], lambda _: False) for _ in range(4)} == {"b1", "b2"}
    four.over("a2")
    four.over("a2")
    # One that is idle because nobody may ask it says nothing of its cell.
    assert {four.choose([], lambda name: name == "a2") for _ in range(4)} == {"b1", "b2"}


def test_retries_stop_before_the_deadline() -> None:
    async def go() -> tuple[int, float]:
        calls = 0

        async def fail() -> bool:
            nonlocal calls
            calls += 1
            return False

        deadline = Deadline.from_header("60")
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await again(fail, lambda ok: not ok, FULL, deadline, 1000)
        return calls, loop.time() - began_s

    calls, took_s = asyncio.run(go())
    assert 1 <= calls < 1000
    assert took_s < 5  # a thousand tries and their pauses take minutes


@pytest.mark.parametrize("text", ["x", "-1", "99999999999", "1.5", ""])
def test_deadlines_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Deadline.from_header(text)


def test_panic_is_when_all_of_several_refuse() -> None:
    two = Replicas(["ledger-1", "ledger-2"], 1, "least_loaded")
    assert two.panics(lambda _: True)
    assert not two.panics(lambda name: name == "ledger-1")
    # One bank has no other to be compared with, and without failover there is no other to go to.
    assert not Replicas(["bank.own"], 1, "least_loaded").panics(lambda _: True)
    assert not Replicas(["ledger-1", "ledger-2"], 1, "always").panics(lambda _: True)


def test_a_site_that_nothing_can_be_written_of_is_looked_at_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, and no way to the bank; both are over: it must not stay cut off for good."""
    full, looked = [True], asyncio.Event()

    class Bank:
        async def reaches(self, _: str, __: float) -> bool:
            looked.set()
            return not full

    class Record(Telemetry):
        def state(self, kind: str, subject: str, state: str) -> None:
            if full:
                raise OSError("No space left")

    async def go() -> None:
        site = Routes(cast(HopClient, Bank()), ["bank.own"], Record(tmp_path, "gateway-1"))
        running = asyncio.create_task(site.run())
        async with asyncio.timeout(5):
            while site.ready:
                await looked.wait()
                looked.clear()
            full.clear()
            while not site.ready:
                await looked.wait()
                looked.clear()
        running.cancel()

    monkeypatch.setattr(routes, "EVERY_S", 0.0)
    asyncio.run(go())
