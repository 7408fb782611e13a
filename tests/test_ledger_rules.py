"""One transaction of the ledger at a time: what it answers, on a real database."""

import asyncio
import gc
import time
from collections.abc import Iterator

import pytest

from mock_lender.cluster.config import TierConfig
from mock_lender.ledger.database import Database
from mock_lender.telemetry import Telemetry
from tests.databases import ACCESS, PEOPLE, Books, body, one_database, store_of


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """One database for the module; each test uses borrowers and keys of its own."""
    tiers = [TierConfig(t, f"bank.{t}", 0.5, 10**9) for t in ("own", "partner-a")]
    with one_database(tmp_path_factory.mktemp("database"), PEOPLE, tiers) as made:
        yield made


def test_the_same_request_again_gets_the_same_try(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 2) as store:
            first = await store.reserve(body("again-1", 15_000, 10, nonce="x"))
            assert await store.reserve(body("again-1", 15_000, 10, nonce="x")) == first
            other = await store.reserve(body("again-1", 15_000, 10, nonce="y"))
            assert other["state"] == "in-progress"

    asyncio.run(go())


def test_a_key_older_than_its_retention_is_gone_unless_its_draw_has_an_end(books: Books) -> None:
    """Who is told that a draw is gone may ask again under another key, and be paid twice."""

    async def go() -> None:
        async with store_of(books, 2) as store:
            old = {"retention_ns": 0}
            paid = await store.reserve(body("old-1", 15_100, 10))
            again = await store.reserve(body("old-1", 15_100, 10, nonce="z") | old)
            assert again["state"] == "in-progress"
            await store.post("old-1", paid["try"], "gateway-1")
            assert (await store.reserve(body("old-1", 15_100, 10) | old))["state"] == "paid"
            facts = body("old-2", 15_101, 10) | {"cause": "risk", "hop": "risk", "reason": "r"}
            assert (await store.refuse(facts))["state"] == "refused"
            assert (await store.refuse(facts | old))["state"] == "refused"
            tried = await store.reserve(body("old-3", 15_102, 10))
            await store.void("old-3", tried["try"], "closed", "gateway-1")
            assert (await store.reserve(body("old-3", 15_102, 10) | old))["state"] == "gone"

    asyncio.run(go())


def test_tiers_are_chosen_by_share_and_avoided_when_asked(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 4) as store:
            wanted = [body(f"share-{n}", 16_000 + n, 10) for n in range(300)]
            found = [(await store.reserve(one))["tier"] for one in wanted]
            assert 110 < found.count("own") < 190
            avoiding = [body(f"avoid-{n}", 17_000 + n, 10, avoid=["own"]) for n in range(20)]
            assert {(await store.reserve(one))["tier"] for one in avoiding} == {"partner-a"}
            sparing = [
                body(f"spare-{n}", 17_100 + n, 10, avoid=["own"]) | {"spare": ["partner-a"]}
                for n in range(20)
            ]
            # What is short pays where the other was just asked in vain.
            assert {(await store.reserve(one))["tier"] for one in sparing} == {"partner-a"}
            short = [body(f"short-{n}", 17_200 + n, 10) | {"spare": ["own"]} for n in range(20)]
            assert {(await store.reserve(one))["tier"] for one in short} == {"partner-a"}
            both = body("avoid-both", 18_000, 10, avoid=["own", "partner-a"])
            assert (await store.reserve(both))["state"] == "paying"

    asyncio.run(go())


def test_stale_tries_are_claimed_by_one_sweeper_and_looked_at_less_and_less(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 4) as store:
            await store.reserve(body("stale-1", 19_000, 10) | {"look_after_ns": 0})
            banks = {"bank.own", "bank.partner-a"}
            left = await store.claim_stale(0.05, 1000, banks)
            assert "stale-1" not in [one.draw_key for one in left]
            last_s = time.monotonic()
            claims = await asyncio.gather(*(store.claim_stale(0.05, 1000) for _ in range(4)))
            keys = [one.draw_key for claim in claims for one in claim]
            assert keys.count("stale-1") == 1
            gaps_s: list[float] = []
            async with asyncio.timeout(10):
                while len(gaps_s) < 3:
                    # From before one claim was asked for until after the next was answered: no
                    # shorter than the time between them, however slow the machine is.
                    asked_s = time.monotonic()
                    claimed = await store.claim_stale(0.05, 1000)
                    if any(one.draw_key == "stale-1" for one in claimed):
                        gaps_s.append(time.monotonic() - last_s)
                        last_s = asked_s
            assert gaps_s[0] >= 0.04
            assert gaps_s[1] >= 0.09
            assert gaps_s[2] >= 0.19

    asyncio.run(go())


def test_a_statement_that_nobody_waits_for_ends_in_silence(books: Books) -> None:
    """Its caller has gone and its connection breaks: nobody is told, and nothing complains."""
    complaints: list[object] = []

    async def go() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        telemetry = Telemetry(books.witness_json.parent, "ledger-1")
        database = Database(books.witness_json, ACCESS, 2, telemetry)
        following = asyncio.create_task(database.follow())
        await database.there(5.0)
        caller = asyncio.create_task(database.rows(1.0, "SELECT pg_sleep(100)"))
        await database.rows(1.0, "SELECT 1")  # sent after it, so it is under way
        (statement,) = database.asked
        caller.cancel()
        await asyncio.wait({caller})
        following.cancel()
        database.close()
        await asyncio.wait({statement, following})
        assert caller.cancelled()

    asyncio.run(go())
    gc.collect()
    assert complaints == []
