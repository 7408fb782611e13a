"""Slots: never more at once than there are, first in first out, and none is ever lost."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_lender import believed
from mock_lender.http.slots import Slots
from mock_lender.http.wire import Reply

# Somebody comes; the n-th of those who are there leaves, or gives up waiting; slots are taken out
# of use, or put back.
STEP = st.tuples(st.sampled_from(["come", "leave", "take_out", "put_back"]), st.integers(0, 5))


async def turn() -> None:
    """Let everybody go on who can."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[None] = loop.create_future()
    loop.call_soon(came.set_result, None)
    await came


@given(st.integers(1, 6), st.lists(STEP, max_size=60))
def test_whatever_happens_no_slot_is_lost_or_given_twice(
    most: int, steps: list[tuple[str, int]]
) -> None:
    async def go() -> None:
        slots = Slots(most)
        working: set[int] = set()
        began: list[int] = []
        tasks: dict[int, asyncio.Task[None]] = {}
        leave: dict[int, asyncio.Event] = {}

        async def work(who: int) -> None:
            async with slots:
                working.add(who)
                began.append(who)
                assert len(working) <= most
                await leave[who].wait()
                working.discard(who)

        for number, (what, which) in enumerate(steps):
            there = sorted(tasks)
            if what == "come":
                leave[number] = asyncio.Event()
                tasks[number] = asyncio.create_task(work(number))
            elif what == "leave" and there:
                who = there[which % len(there)]
                if who in working:
                    leave[who].set()
                else:
                    tasks[who].cancel()
                with suppress(asyncio.CancelledError):
                    await tasks.pop(who)
            elif what == "take_out":
                slots.take_out(which)
            elif what == "put_back":
                slots.take_out(-min(which, slots.out))
            for _ in range(3):
                await turn()
            assert 0 <= slots.usable <= most
            waiting = set(tasks) - working
            assert not waiting or len(working) >= slots.usable
        assert began == sorted(began)
        slots.take_out(-slots.out)
        for event in leave.values():
            event.set()
        for task in tasks.values():
            await asyncio.wait_for(task, 1)
        for _ in range(most):
            await asyncio.wait_for(slots.acquire(), 1)

    asyncio.run(go())


def answer(status: int, **body: object) -> Reply:
    return Reply("answer", "risk-1", status, body)


def test_only_an_answer_that_says_one_thing_is_believed() -> None:
    said: dict[str, object] = {"policy": 1, "decided_ns": 5, "approved": True}
    assert believed.decided(answer(200, **said), "policy")
    assert believed.decided(answer(403, **said | {"approved": False, "reason": "x"}), "policy")
    for wrong in (
        answer(403, **said), answer(200, **said | {"approved": False}), answer(200),
        answer(200, policy="1", decided_ns=5, approved=True), answer(409, **said),
        Reply("unknown", "risk-1", why="half a body"),
    ):  # fmt: skip
        assert not believed.decided(wrong, "policy")


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (answer(200, state="paid"), "paid"), (answer(409, state="closed"), "closed"),
        (answer(409, state="paid"), None), (answer(200, state="closed"), None),
        (answer(200), None), (answer(422, state="other"), None),
        (Reply("not_sent", "bank.own"), None),
    ],
)  # fmt: skip
def test_a_bank_is_believed_in_two_cases(reply: Reply, state: str | None) -> None:
    assert believed.state_of_payout(reply) == state


def test_a_ledger_is_believed_when_its_status_goes_with_its_state() -> None:
    tried: dict[str, object] = {"bank": "bank.own", "tier": "own", "try": 1, "payout_key": "k"}
    assert believed.state_of_draw(answer(200, state="paying", **tried)) == "paying"
    assert believed.state_of_draw(answer(409, state="no-money")) == "no-money"
    assert believed.state_of_draw(answer(200, state="refused")) == "refused"
    for wrong in (
        answer(200, state="paying"), answer(200, state="no-money"), answer(409, state="paid"),
        answer(200), Reply("unknown", "ledger-1"),
    ):  # fmt: skip
        assert believed.state_of_draw(wrong) is None
    assert believed.ended_as(answer(200, state="voided"), "voided")
    assert not believed.ended_as(answer(409, state="voided"), "voided")
    assert not believed.ended_as(answer(200), "voided")
