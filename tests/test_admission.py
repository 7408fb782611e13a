"""Admission: who is let in, who waits, who is turned away."""

import asyncio

import pytest

from mock_lender import clock
from mock_lender.resilience.admission import (
    BEGUN,
    COME_BACK_MS,
    DRAW,
    LOOK,
    AdaptiveLimit,
    Admission,
)
from mock_lender.resilience.profile import PROFILES, Settings
from tests.turned_clock import Hand

FULL = Settings.of(PROFILES["full"])


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()
    monkeypatch.setattr(clock, "time", made)
    return made


def test_draws_go_before_looks_and_what_has_begun_before_both() -> None:
    async def go() -> list[str]:
        slots = Admission(1, FULL, quick=False)
        assert await slots.enter(DRAW, 1.0)
        came: list[str] = []

        async def ask(name: str, rank: int) -> None:
            assert await slots.enter(rank, 1.0)
            came.append(name)
            slots.leave(wasted=False)

        asked = [
            asyncio.create_task(ask(name, rank))
            for name, rank in (("look", LOOK), ("draw", DRAW), ("post", BEGUN), ("second", DRAW))
        ]
        await turn()
        slots.leave(wasted=False)
        await asyncio.gather(*asked)
        return came

    assert asyncio.run(go()) == ["post", "draw", "second", "look"]


async def turn() -> None:
    came = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(came.set_result, None)
    await came


def test_at_the_door_nobody_waits_in_vain_for_long() -> None:
    async def go() -> tuple[bool, float, bool]:
        slots = Admission(1, FULL, quick=True)
        assert await slots.enter(DRAW, 5.0)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        let_in = await slots.enter(DRAW, 5.0)
        took_s = loop.time() - began_s
        slots.leave(wasted=False)
        return let_in, took_s, await slots.enter(LOOK, 5.0)

    let_in, took_s, after = asyncio.run(go())
    assert (let_in, after) == (False, True)
    assert FULL.shed_after_s * 0.9 <= took_s < 2.5  # of the five seconds that it would have


@pytest.mark.parametrize("leaves", [False, True])
def test_a_caller_that_is_gone_takes_no_slot_with_it(leaves: bool) -> None:
    async def go() -> bool:
        slots = Admission(1, FULL, quick=False)
        assert await slots.enter(DRAW, 5.0)
        waiting = asyncio.create_task(slots.enter(DRAW, 5.0))
        await turn()
        if leaves:
            slots.leave(wasted=False)  # its turn comes at the very moment it goes
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if not leaves:
            slots.leave(wasted=False)
        return await slots.enter(DRAW, 0.01)

    assert asyncio.run(go())


def test_work_for_nobody_lowers_the_limit_and_useful_work_raises_it_again(hand: Hand) -> None:
    limit = AdaptiveLimit(16)
    for _ in range(40):
        hand.turn(0.1)
        limit.done(hand.at_ns, wasted=True, reached=True)
    assert limit.now == 4
    for _ in range(20):
        limit.done(hand.at_ns, wasted=True, reached=True)  # all at once they are one cut
    for _ in range(30):
        limit.done(hand.at_ns, wasted=False, reached=False)
    assert limit.now == 4  # nobody wants more
    for _ in range(12):
        limit.done(hand.at_ns, wasted=False, reached=True)
    assert limit.now == 16


def test_the_limit_falls_under_a_clock_that_was_put_back_too(hand: Hand) -> None:
    limit = AdaptiveLimit(16)
    hand.turn(3600)
    limit.done(hand.at_ns, wasted=True, reached=True)
    hand.turn(-3600)
    for _ in range(40):
        hand.turn(0.1)
        limit.done(hand.at_ns, wasted=True, reached=True)
    assert limit.now == 4


def test_the_limit_holds_and_a_planted_loss_of_slots_beside_it(hand: Hand) -> None:
    async def go() -> None:
        slots = Admission(8, FULL, quick=False)
        for _ in range(30):
            hand.turn(0.2)
            assert await slots.enter(DRAW, 0.0)
            slots.leave(wasted=True)
        assert slots.limit == 2
        slots.take_out(7)
        assert await slots.enter(DRAW, 0.0)
        slots.leave(wasted=True)
        assert slots.limit == 1
        slots.take_out(-7)
        assert [await slots.enter(DRAW, 0.0) for _ in range(3)] == [True, True, False]

    asyncio.run(go())


def test_who_is_turned_away_is_not_told_to_come_back_together() -> None:
    slots = Admission(1, FULL, quick=True)
    told = [slots.come_back_ms() for _ in range(50)]
    assert COME_BACK_MS[0] <= min(told) <= max(told) <= COME_BACK_MS[1]
    assert len(set(told)) > 40
