"""A partner's limits cut at the console, and given back as they were."""

from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.context import ServiceContext
from mock_lender.ledger import setup

LIMITS = ("hourly", "daily")


class Cut:
    """What may be drawn from a tier in an hour, or in a day, is a share of what it was."""

    def __init__(self, ctx: ServiceContext, tier: str, limit: str, to: float) -> None:
        if tier not in {one.tier for one in ctx.config.tiers}:
            raise RefusedError(404, f"no tier {tier}")
        if limit not in LIMITS or not 0 <= to < 1:
            raise RefusedError(422, "limit: hourly or daily; to: from 0 to below 1")
        self._ctx = ctx
        self._tier = tier
        self._limit = limit
        self._to = to
        self._was_fen: int | None = None

    async def take(self) -> dict[str, object]:
        hour_fen, day_fen = await setup.limits(primary_dsn(self._ctx), self._tier)
        was_fen = hour_fen if self._limit == "hourly" else day_fen
        if was_fen is None:
            raise RefusedError(409, f"{self._tier} has no {self._limit} limit")
        self._was_fen = was_fen
        now_fen = int(was_fen * self._to)
        await self._set(now_fen)
        return {"was_fen": was_fen, "now_fen": now_fen}

    async def release(self) -> None:
        if self._was_fen is not None:
            await self._set(self._was_fen)

    async def _set(self, fen: int) -> None:
        hour_fen, day_fen = (fen, None) if self._limit == "hourly" else (None, fen)
        dsn, offset_ns = primary_dsn(self._ctx), self._ctx.clock_offset_ns
        await setup.set_limits(dsn, self._tier, hour_fen, day_fen, offset_ns)


async def told(ctx: ServiceContext, tier: str) -> dict[str, object]:
    """What may be drawn from a tier in an hour and in a day, fen; null: any amount."""
    if tier not in {one.tier for one in ctx.config.tiers}:
        raise RefusedError(404, f"no tier {tier}")
    hour_fen, day_fen = await setup.limits(primary_dsn(ctx), tier)
    return {"hourly_fen": hour_fen, "daily_fen": day_fen}
