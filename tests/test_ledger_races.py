"""Many transactions of the ledger at once: still one draw a key, and no money lent twice."""

import asyncio
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_lender.cluster.config import TierConfig
from mock_lender.ledger import setup
from tests.databases import LIMIT_FEN, PEOPLE, Books, body, one_database, store_of


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """One database for the module; each test uses borrowers and keys of its own."""
    tiers = [TierConfig(t, f"bank.{t}", 0.5, 10**9) for t in ("own", "partner-a")]
    with one_database(tmp_path_factory.mktemp("database"), PEOPLE, tiers) as made:
        yield made


def test_two_hundred_calls_at_once_with_one_key_are_one_draw(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 16) as store:
            asked = [body("same-1", 15_200, 10, nonce=str(n)) for n in range(200)]
            found = await asyncio.gather(*(store.reserve(one) for one in asked))
            states = [one["state"] for one in found]
            assert sorted(set(states)) == ["in-progress", "paying"]
            assert states.count("paying") == 1
            quota = await store.quota(15_200)
            assert quota is not None
            assert quota["held_fen"] == 10

    asyncio.run(go())


def test_many_repayments_at_once_restore_the_quota_once_each(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 16) as store:
            paid = await store.reserve(body("owed-1", 15_300, 1000))
            await store.post("owed-1", paid["try"], "gateway-1")
            calls = [store.repay(f"repay-{n % 60}", 15_300, 20) for n in range(120)]
            states = [one["state"] for one in await asyncio.gather(*calls)]
            assert (states.count("repaid"), states.count("refused")) == (100, 20)
            quota = await store.quota(15_300)
            assert quota is not None
            assert (quota["outstanding_fen"], quota["available_fen"]) == (0, LIMIT_FEN)

    asyncio.run(go())


def test_the_last_money_of_a_tier_is_lent_once(tmp_path: Path) -> None:
    """Sixty draws race for money that covers twenty-five, in slices that cover few alone."""
    people = "\n".join(f"{n},new,{LIMIT_FEN},0,0" for n in range(1, 100))
    tiers = [TierConfig("own", "bank.own", 1.0, 2_500)]

    async def go(books: Books) -> None:
        async with store_of(books, 16) as store:
            asked = [body(f"race-{n}", n, 100) for n in range(1, 61)]
            found = await asyncio.gather(*(store.reserve(one) for one in asked))
            states = [one["state"] for one in found]
            assert (states.count("paying"), states.count("no-money")) == (25, 35)

    with one_database(tmp_path, people, tiers) as books:
        asyncio.run(go(books))


def test_versions_are_dated_in_their_order_by_many_processes(books: Books, tmp_path: Path) -> None:
    """Few hot slices from several connections while the machine is busy: dates never overtake."""

    async def go() -> None:
        keys = [f"dated-{n}" for n in range(200)]
        wanted = [body(key, 19_100 + n, 10, avoid=["own"]) for n, key in enumerate(keys)]
        before_ns = time.monotonic_ns()
        async with store_of(books, 8) as store:
            await asyncio.gather(*(store.reserve(one) for one in wanted))
        after_ns = time.monotonic_ns()
        await setup.export(books.dsn, tmp_path)
        with (tmp_path / "versions.csv").open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines)]
        for slice_ in range(8):
            mine = [row for row in rows if row["account"] == f"tier:partner-a/{slice_}"]
            dates = [int(row["locked_ns"]) for row in mine]
            assert len(dates) > 1
            assert dates == sorted(dates)
        drawn = [r for r in rows if r["draw_key"] in keys and r["account"].startswith("tier:")]
        dates = [int(row["locked_ns"]) for row in drawn]
        assert len(dates) == 200
        assert before_ns <= min(dates) <= max(dates) <= after_ns

    asyncio.run(go())
