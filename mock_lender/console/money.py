"""A tier's money, moved into the treasury and back by postings like any other."""

import time

from mock_lender.cluster.replication import run
from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.context import ServiceContext
from mock_lender.ledger.setup import move_treasury

TRIES = 8


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

    async def take(self) -> dict[str, object]:
        dsn = primary_dsn(self._ctx)
        for number in range(TRIES):
            has_fen = await available_fen(dsn, self._tier)
            taken_fen = int(has_fen * self._share)
            if taken_fen == 0:
                raise RefusedError(409, f"{self._tier} has nothing to take")
            # Draws go on meanwhile: what was there a moment ago may be less now.
            if await self._move(dsn, -taken_fen, f"drain-{self._key}-{number}"):
                self._taken_fen = taken_fen
                return {"taken_fen": taken_fen, "had_fen": has_fen}
        raise RefusedError(409, f"{self._tier} could not be drained in {TRIES} tries")

    async def release(self) -> None:
        """Once a key: asked again it is done already."""
        if self._taken_fen:
            key = f"refill-{self._key}"
            await self._move(primary_dsn(self._ctx), self._taken_fen, key)

    async def _move(self, dsn: str, amount_fen: int, key: str) -> bool:
        offset_ns = self._ctx.clock_offset_ns
        return await move_treasury(dsn, self._tier, amount_fen, key, offset_ns)


async def available_fen(dsn: str, tier: str) -> int:
    """What all slices of a tier have; the tier is one of the lender's own."""
    wanted = f"SELECT sum(balance_fen) FROM slices WHERE tier = '{tier}'"  # noqa: S608
    return int((await run(dsn, wanted))[0][0])
