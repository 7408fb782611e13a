"""The cache that shown quotas come through: how old, how often read, what a guard adds to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from mock_lender.clock import now_ns
from mock_lender.http.wire import Reply
from mock_lender.quota import QuotaCache, is_quota
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.profile import PROFILES, Settings
from mock_lender.shut import COLD, reopen, shut

SETTINGS = Settings.of(PROFILES["full"])
FOREVER = replace(SETTINGS, quota_fresh_s=3600.0, quota_stale_s=3600.0)
OLD_AT_ONCE = replace(SETTINGS, quota_fresh_s=0.0, quota_stale_s=3600.0)
TOO_OLD_AT_ONCE = replace(SETTINGS, quota_fresh_s=0.0, quota_stale_s=0.0)
GONE = Reply("unknown", "ledger-1", why="timeout")


class Ledger:
    """Answers with one fen more each time, when it is let, or not at all."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = True
        self.go = asyncio.Event()
        self.go.set()

    async def read(self) -> Reply:
        self.asked += 1
        mine = self.asked
        await self.go.wait()
        if not self.answers:
            return GONE
        return Reply("answer", "ledger-1", 200, {"available_fen": mine, "age_ms": 0})


@pytest.fixture(autouse=True)
def warm() -> Iterator[None]:
    yield
    reopen(COLD)


def run(what: Callable[[Ledger], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        await what(Ledger())

    asyncio.run(all_of_it())


async def turns(times: int) -> None:
    """Let the others go on, so often."""
    for _ in range(times):
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn


async def fen(cache: QuotaCache, ledger: Ledger, borrower: int = 1) -> int | None:
    reply = await cache.look(borrower, ledger.read)
    found = reply.body.get("available_fen")
    return found if isinstance(found, int) else None


@pytest.mark.parametrize("guarded", [True, False])
def test_what_is_fresh_is_shown_with_its_age(guarded: bool) -> None:
    async def look(ledger: Ledger) -> None:
        cache = QuotaCache(FOREVER, guarded=guarded)
        assert [await fen(cache, ledger) for _ in range(3)] == [1, 1, 1]
        assert await fen(cache, ledger, borrower=2) == 2
        first = (await cache.look(1, ledger.read)).body["age_ms"]
        assert 0 <= first <= (await cache.look(1, ledger.read)).body["age_ms"]
        assert "quota_cache_hits_total 4\nquota_cache_reads_total 2\n" in cache.counts()

    run(look)


@pytest.mark.parametrize(("guarded", "readings"), [(True, 1), (False, 5)])
def test_looks_at_one_borrower_share_a_reading_when_guarded(guarded: bool, readings: int) -> None:
    async def look(ledger: Ledger) -> None:
        cache = QuotaCache(FOREVER, guarded=guarded)
        ledger.go.clear()
        looks = [asyncio.create_task(fen(cache, ledger)) for _ in range(5)]
        await turns(2)
        looks[0].cancel()  # whoever began it may go away
        ledger.go.set()
        await asyncio.gather(*looks, return_exceptions=True)
        assert ledger.asked == readings

    run(look)


@pytest.mark.parametrize(
    ("first_s", "others_s", "read"),
    [(0.0, (60.0, 60.0), 2), (0.0, (None, 60.0), 2), (0.0, (0.0, 0.0), 1), (60.0, (90.0, 90.0), 1),
     (None, (60.0, 60.0), 1)],
)  # fmt: skip
def test_a_reading_that_ended_with_its_own_deadline_is_made_again_for_who_has_time(
    first_s: float | None, others_s: tuple[float | None, ...], read: int
) -> None:
    """Once, for all of them: it has failed, the first look's time is up or not, the others' not."""

    async def look(ledger: Ledger) -> None:
        cache = QuotaCache(FOREVER, guarded=True)
        ledger.answers, reading = False, asyncio.Event()

        async def never() -> Reply:
            ledger.asked += 1
            await reading.wait()
            ledger.answers = True
            return GONE

        first = asyncio.create_task(cache.look(1, never, due(first_s)))
        await turns(2)
        others = [asyncio.create_task(cache.look(1, ledger.read, due(one))) for one in others_s]
        await turns(2)
        reading.set()
        assert await first == GONE
        found = [is_quota(one) for one in await asyncio.gather(*others)]
        assert (found, ledger.asked) == ([read == 2] * len(others_s), read)

    run(look)


def due(in_s: float | None) -> Deadline | None:
    return None if in_s is None else Deadline(now_ns() + int(in_s * 1e9))


@pytest.mark.parametrize(
    ("settings", "guarded", "shown"),
    [(OLD_AT_ONCE, True, 1), (OLD_AT_ONCE, False, None), (TOO_OLD_AT_ONCE, True, None)],
    ids=["guarded", "plain", "older than the limit"],
)
def test_what_is_known_is_shown_for_a_while_when_the_ledger_is_silent(
    settings: Settings, guarded: bool, shown: int | None
) -> None:
    async def look(ledger: Ledger) -> None:
        cache = QuotaCache(settings, guarded=guarded)
        assert await fen(cache, ledger) == 1
        ledger.answers = False
        assert await fen(cache, ledger) == shown
        ledger.answers = True
        assert await fen(cache, ledger) == 3

    run(look)


@pytest.mark.parametrize("guarded", [True, False])
def test_what_was_read_before_a_change_is_not_kept(guarded: bool) -> None:
    async def look(ledger: Ledger) -> None:
        cache = QuotaCache(FOREVER, guarded=guarded)
        with cache.changing(1):
            assert await fen(cache, ledger) == 1
        assert await fen(cache, ledger) == 2
        ledger.go.clear()
        before = asyncio.create_task(fen(cache, ledger, borrower=3))
        await turns(2)
        with cache.changing(3):
            pass
        ledger.go.set()
        assert await before == 3
        assert await fen(cache, ledger, borrower=3) == 4

    run(look)


def test_a_cold_cache_keeps_nothing_and_is_empty_afterwards() -> None:
    async def look(ledger: Ledger) -> None:
        cache = QuotaCache(FOREVER, guarded=True)
        assert await fen(cache, ledger) == 1
        shut(COLD)
        assert [await fen(cache, ledger) for _ in range(2)] == [2, 3]
        assert "quota_cache_cold 1" in cache.counts()
        reopen(COLD)
        assert [await fen(cache, ledger) for _ in range(2)] == [4, 4]

    run(look)


def test_who_nobody_knows_is_never_kept() -> None:
    async def look(_: Ledger) -> None:
        cache = QuotaCache(FOREVER, guarded=True)

        async def unknown() -> Reply:
            return Reply("answer", "ledger-1", 404, {"state": "unknown"})

        assert (await cache.look(9, unknown)).status == 404
        assert "quota_cache_kept 0" in cache.counts()

    run(look)
