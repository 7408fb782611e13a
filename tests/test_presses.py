"""A press is worked on once, whoever delivers it again and whenever."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse, Response

from mock_lender.presses import REMEMBERED_MAX, Presses

FIRST = ("/v1/draws", "a-key-of-mine", "body", 1)


def test_a_press_is_worked_on_once_while_it_runs_and_after() -> None:
    worked = []

    async def work() -> Response:
        worked.append(1)
        later = asyncio.Event()
        asyncio.get_running_loop().call_soon(later.set)
        await later.wait()
        return PlainTextResponse(f"answer {len(worked)}")

    async def story() -> list[bytes]:
        presses = Presses()
        at_once = await asyncio.gather(presses.once(FIRST, work), presses.once(FIRST, work))
        later = await presses.once(FIRST, work)
        second = await presses.once((*FIRST[:3], 2), work)
        other = await presses.once(("/v1/draws", "a-key-of-mine", "another body", 1), work)
        nameless = await presses.once(None, work)
        return [bytes(one.body) for one in (*at_once, later, second, other, nameless)]

    told = asyncio.run(story())
    assert told == [b"answer 1"] * 3 + [b"answer 2", b"answer 3", b"answer 4"]


def test_one_that_broke_is_not_worked_on_again_and_nobody_is_told_that_nothing_happened() -> None:
    async def breaks() -> Response:
        raise KeyError("halfway")

    async def story() -> Response:
        presses = Presses()
        with pytest.raises(KeyError):
            await presses.once(FIRST, breaks)
        return await presses.once(FIRST, breaks)

    told = asyncio.run(story())
    assert told.status_code == 500
    assert b'"certain":false' in bytes(told.body)


def test_the_oldest_are_forgotten() -> None:
    async def work() -> Response:
        return PlainTextResponse("fine")

    async def story() -> int:
        presses = Presses()
        for number in range(REMEMBERED_MAX + 10):
            await presses.once((*FIRST[:3], number), work)
        return presses.remembered

    assert asyncio.run(story()) == REMEMBERED_MAX
