"""What may be drawn from a tier in an hour, in a day, from which of its parts: on a database."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_lender.cluster.config import CalendarConfig, TierConfig
from mock_lender.ledger import setup
from mock_lender.ledger.store import Store
from mock_lender.ledger.treasurer import Treasurer
from mock_lender.telemetry import Telemetry
from tests.databases import OFFSET_NS, PEOPLE, Books, body, one_database, store_of

NUMBERS = itertools.count(1)
LIMIT_FEN = 1000
TIERS = [
    TierConfig("own", "bank.own", 0.0, 10**6, slices=4),
    TierConfig("hourly", "bank.hourly", 1.0, 10**6, slices=4, hour_limit_fen=LIMIT_FEN),
    TierConfig("daily", "bank.daily", 0.0, 10**6, slices=4, day_limit_fen=LIMIT_FEN),
    TierConfig("poor", "bank.poor", 0.0, 400, slices=4),
]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with one_database(tmp_path_factory.mktemp("limits"), PEOPLE, TIERS) as made:
        yield made


@pytest.fixture(autouse=True)
def afresh(books: Books) -> None:
    """Each test has hours and days of its own, and the limits that were agreed."""
    asyncio.run(setup.begin_calendar(books.dsn, next(NUMBERS) * 10**9))
    asyncio.run(setup.set_limits(books.dsn, "hourly", LIMIT_FEN, None, OFFSET_NS))
    asyncio.run(setup.set_limits(books.dsn, "daily", None, LIMIT_FEN, OFFSET_NS))


def do(books: Books, work: Callable[[Store], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        async with store_of(books, 8) as store:
            return await work(store)

    return asyncio.run(go())


async def reserve(store: Store, fen: int, only: str = "hourly", **more: object) -> dict[str, Any]:
    """A draw of its own borrower, of one tier alone."""
    number = next(NUMBERS)
    others = [tier.tier for tier in TIERS if tier.tier != only]
    asked = body(f"limits-{number}", number, fen, out=others, **more)
    return {"draw_key": asked["draw_key"], **await store.reserve(asked)}


@pytest.mark.parametrize("tier", ["hourly", "daily"])
def test_no_more_than_the_limit_and_all_of_it(books: Books, tier: str) -> None:
    """A slice's part is 250: each of these has to bring the parts together."""

    async def go(store: Store) -> list[str]:
        return [(await reserve(store, fen, tier))["state"] for fen in (300, 300, 300, 101, 100, 1)]

    assert do(books, go) == ["paying", "paying", "paying", "no-money", "paying", "no-money"]


def test_what_is_void_counts_no_more(books: Books) -> None:
    async def go(store: Store) -> None:
        first = await reserve(store, LIMIT_FEN)
        assert (await reserve(store, 1))["state"] == "no-money"
        await store.void(first["draw_key"], 1, "closed", "sweeper")
        assert (await reserve(store, LIMIT_FEN))["state"] == "paying"
        assert (await reserve(store, 1))["state"] == "no-money"

    do(books, go)


def test_what_was_posted_counts_to_the_end_of_the_hour(books: Books) -> None:
    async def go(store: Store) -> None:
        first = await reserve(store, LIMIT_FEN)
        await store.post(first["draw_key"], 1, "gateway-1")
        assert (await reserve(store, 1))["state"] == "no-money"

    do(books, go)


@pytest.mark.parametrize("tier", ["hourly", "daily"])
def test_many_at_once_are_together_within_the_limit(books: Books, tier: str) -> None:
    async def go(store: Store) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(reserve(store, 90, tier) for _ in range(30))))

    states = Counter(one["state"] for one in do(books, go))
    assert states["paying"] == LIMIT_FEN // 90
    assert states["no-money"] == 30 - LIMIT_FEN // 90


def test_a_limit_that_is_cut_holds_at_once_and_comes_back(books: Books) -> None:
    async def go(store: Store) -> None:
        await reserve(store, 600)
        await setup.set_limits(books.dsn, "hourly", 500, None, OFFSET_NS)
        assert (await reserve(store, 1))["state"] == "no-money"
        await setup.set_limits(books.dsn, "hourly", 650, None, OFFSET_NS)
        assert (await reserve(store, 51))["state"] == "no-money"
        assert (await reserve(store, 50))["state"] == "paying"
        await setup.set_limits(books.dsn, "hourly", LIMIT_FEN, None, OFFSET_NS)
        assert (await reserve(store, 350))["state"] == "paying"
        assert (await reserve(store, 1))["state"] == "no-money"

    do(books, go)


def test_what_is_void_stays_counted_while_more_is_drawn_than_a_cut_limit_allows(
    books: Books,
) -> None:
    """Or two slices, each as it should be, would be over it together."""

    async def go(store: Store) -> None:
        draws = [await reserve(store, 200) for _ in range(3)]
        await setup.set_limits(books.dsn, "hourly", 500, None, OFFSET_NS)
        for one in draws[:2]:
            await store.void(one["draw_key"], 1, "closed", "sweeper")
        assert (await reserve(store, 1))["state"] == "no-money"
        await setup.set_limits(books.dsn, "hourly", LIMIT_FEN, None, OFFSET_NS)
        assert (await reserve(store, 400))["state"] == "paying"
        assert (await reserve(store, 1))["state"] == "no-money"

    do(books, go)


def test_a_new_hour_begins_with_the_whole_limit(tmp_path: Path) -> None:
    calendar = CalendarConfig(hour_s=1.5, day_hours=1000)
    with one_database(tmp_path, PEOPLE, TIERS, calendar=calendar) as made:

        async def go(store: Store) -> None:
            first = await reserve(store, LIMIT_FEN)
            async with asyncio.timeout(15):
                # An hour may end between two questions: then that one is the first.
                while (after := await reserve(store, LIMIT_FEN))["state"] != "no-money":
                    first = after
                while (await reserve(store, LIMIT_FEN))["state"] == "no-money":
                    pass
            # It was another hour's: nothing comes back in this one.
            await store.void(first["draw_key"], 1, "closed", "sweeper")
            assert (await reserve(store, LIMIT_FEN))["state"] == "no-money"

        do(made, go)


def test_without_fall_through_the_draws_own_tier_is_the_only_one(books: Books) -> None:
    async def go(store: Store) -> None:
        number = next(NUMBERS)
        asked = body(f"alone-{number}", number, LIMIT_FEN, out=[])
        assert (await store.reserve(asked))["tier"] == "hourly"
        number = next(NUMBERS)
        again = body(f"alone-{number}", number, 1, out=[])
        alone = await store.reserve(again | {"fall_through": False})
        assert alone["state"] == "no-money"
        assert (await store.reserve(again))["tier"] == "own"

    do(books, go)


def test_without_rebalancing_a_part_is_kept_apart(books: Books) -> None:
    """Four parts of 100: none has 150, and together they have it."""

    async def go(store: Store) -> None:
        apart = [await reserve(store, 90, "poor", rebalance=False) for _ in range(60)]
        paying = sum(one["state"] == "paying" for one in apart)
        assert paying == 4
        last = await reserve(store, 40, "poor", rebalance=False)
        assert last["state"] == "no-money"
        found = await reserve(store, 40, "poor")
        assert (found["state"], found["gathered"]) == ("paying", True)
        assert (await reserve(store, 1, "poor"))["state"] == "no-money"

    do(books, go)


def test_each_hours_shares_are_set_once_and_draws_go_by_them(books: Books, tmp_path: Path) -> None:
    plan = [{"poor": 1.0}, {"own": 1.0, "hourly": 0.0}]

    async def go(store: Store) -> None:
        two = [Treasurer(plan, store, Telemetry(tmp_path, f"ledger-{n}")) for n in (1, 2)]
        tasks = [asyncio.create_task(one.run()) for one in two]
        async with asyncio.timeout(10):
            while any(one.hour < 1 for one in two):
                await store.tiers()
        for task in tasks:
            task.cancel()
        number = next(NUMBERS)
        assert (await store.reserve(body(f"planned-{number}", number, 1)))["tier"] == "own"

    do(books, go)
    told = "".join(file.read_text() for file in tmp_path.glob("states.*.csv"))
    assert told.count("hourly 0.0 % own 100.0 %") == 1


@pytest.mark.parametrize("defect", ["limit-per-slice", "limit-forgotten"])
def test_the_defects_exceed_the_limit(tmp_path: Path, defect: str) -> None:
    with one_database(tmp_path, PEOPLE, TIERS, [defect]) as made:
        asyncio.run(setup.begin_calendar(made.dsn, 10**9))

        async def go(store: Store) -> int:
            found = [await reserve(store, 200) for _ in range(60)]
            return sum(one["state"] == "paying" for one in found)

        assert do(made, go) > LIMIT_FEN // 200
