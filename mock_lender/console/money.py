"""Money moved at the console: a tier's into the treasury and back, borrowers' debts collected in
bulk; by the ledger's own functions, with postings like any other.
"""

import asyncio
import contextlib
import hashlib
import itertools
import time
from typing import Any

from mock_lender.cluster.replication import LOST, patiently, run
from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.console.sessions import enter
from mock_lender.context import ServiceContext
from mock_lender.ledger.setup import move_treasury

TRIES = 8
RATE_MAX = 500.0
TICK_S = 0.1
STOPPED_WITHIN_S = 3.0
COLLECTIONS = "collections.csv"
COLLECTIONS_HEADER = "repay_key,borrower,amount_fen,asked_ns\n"
OWING = """
SELECT borrower, outstanding_fen FROM borrowers
WHERE outstanding_fen > 0 AND borrower > $1 ORDER BY borrower LIMIT $2
"""


class Drain:
    """Takes a share of what a tier has available now; gives back exactly as much."""

    def __init__(self, ctx: ServiceContext, tier: str, share: float) -> None:
        if tier not in {one.tier for one in ctx.config.tiers}:
            raise RefusedError(404, f"no tier {tier}")
        if not 0 < share <= 1:
            raise RefusedError(422, "share: above 0, up to 1")
        self._ctx = ctx
        self._tier = tier
        self._share = share
        self._key = f"{tier}-{time.monotonic_ns()}"
        self._taken_fen = 0
        # What was asked for last and is not known to have been done, and under which key.
        self._unsure: tuple[int, str] | None = None

    async def take(self) -> dict[str, object]:
        dsn = primary_dsn(self._ctx)
        for number in range(TRIES):
            has_fen = await available_fen(dsn, self._tier)
            taken_fen = int(has_fen * self._share)
            if taken_fen == 0:
                raise RefusedError(409, f"{self._tier} has nothing to take")
            self._unsure = taken_fen, f"drain-{self._key}-{number}"
            # Draws go on meanwhile: what was there a moment ago may be less now.
            if await self._take_unsure(dsn):
                return {"taken_fen": taken_fen, "had_fen": has_fen}
        raise RefusedError(409, f"{self._tier} could not be drained in {TRIES} tries")

    async def release(self) -> None:
        """Once a key: asked again it is done already. Money whose taking nobody has answered for is
        asked for again first: then it is known what to give back."""
        dsn = primary_dsn(self._ctx)
        await self._take_unsure(dsn)
        if self._taken_fen:
            await self._move(dsn, self._taken_fen, f"refill-{self._key}")

    async def _take_unsure(self, dsn: str) -> bool:
        if self._unsure is None:
            return False
        taken_fen, key = self._unsure
        taken = await self._move(dsn, -taken_fen, key)
        self._unsure = None
        self._taken_fen = taken_fen if taken else 0
        return taken

    async def _move(self, dsn: str, amount_fen: int, key: str) -> bool:
        offset_ns = self._ctx.clock_offset_ns
        return await move_treasury(dsn, self._tier, amount_fen, key, offset_ns)


async def available_fen(dsn: str, tier: str) -> int:
    """What all slices of a tier have; the tier is one of the lender's own."""
    wanted = f"SELECT sum(balance_fen) FROM slices WHERE tier = '{tier}'"
    return int((await run(dsn, wanted))[0][0])


class MassRepayment:
    """Borrowers' debts are collected, all of each, so many a second, in order of their number and
    then from the first again. What is asked of the ledger is written down before it is asked."""

    def __init__(self, ctx: ServiceContext, name: str, rate_per_s: float) -> None:
        if not 0 < rate_per_s <= RATE_MAX:
            raise RefusedError(422, f"rate_per_s: above 0, up to {RATE_MAX:g}")
        self._ctx = ctx
        self._prefix = key_prefix(name)
        self._most = max(1, round(rate_per_s * TICK_S))
        self._tick_s = self._most / rate_per_s
        self._last = 0
        self._numbers = itertools.count(time.monotonic_ns())
        self._stopping = asyncio.Event()
        self._collecting: asyncio.Task[None] | None = None

    async def take(self) -> dict[str, object]:
        self._collecting = asyncio.create_task(self._collect())
        return {}

    async def _collect(self) -> None:
        """A session that is lost is entered again; what was asked on it may have been done."""
        while not self._stopping.is_set():
            with contextlib.suppress(*LOST, TimeoutError, RefusedError):
                session = await enter(self._ctx)
                try:
                    while not self._stopping.is_set():
                        await self._some(session)
                        await self._pause()
                finally:
                    session.terminate()
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._tick_s)

    async def _some(self, session: Any) -> None:
        owing = await patiently(session.fetch(OWING, self._last, self._most))
        self._last = owing[-1]["borrower"] if owing else 0
        for row in owing:
            key = f"{self._prefix}{next(self._numbers)}"
            self._note(key, row["borrower"], row["outstanding_fen"])
            values = (key, row["borrower"], row["outstanding_fen"], self._ctx.clock_offset_ns)
            await patiently(session.fetchval("SELECT repay($1, $2, $3, $4)", *values))

    def _note(self, key: str, borrower: int, amount_fen: int) -> None:
        with (self._ctx.rulebook_json.parent / COLLECTIONS).open("a") as file:
            if file.tell() == 0:
                file.write(COLLECTIONS_HEADER)
            file.write(f"{key},{borrower},{amount_fen},{time.monotonic_ns()}\n")

    async def release(self) -> None:
        """Returns when the last statement has ended: none is cancelled."""
        self._stopping.set()
        if self._collecting is not None:
            await asyncio.wait({self._collecting}, timeout=STOPPED_WITHIN_S)


def key_prefix(name: str) -> str:
    """What the keys of a mass repayment of this name begin with."""
    return f"mass-{hashlib.sha256(name.encode()).hexdigest()[:8]}-"


async def repaid(ctx: ServiceContext, name: str) -> int:
    """How many repayments of this name the ledger has taken."""
    ours = f"state = 'repaid' AND starts_with(repay_key, '{key_prefix(name)}')"
    wanted = f"SELECT count(*) FROM repayments WHERE {ours}"
    return int((await run(primary_dsn(ctx), wanted))[0][0])
