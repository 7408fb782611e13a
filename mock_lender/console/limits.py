"""A partner's limits cut at the console, and given back as they were."""

from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.context import ServiceContext
from mock_lender.ledger import setup

LIMITS = ("hourly", "daily")


class Cut:
    """What may be drawn from a tier in an hour, or in a day, is a share of what was agreed. That is
    in the lender's configuration: whatever has become of a cut, it is known what to give back."""

    def __init__(self, ctx: ServiceContext, tier: str, limit: str, to: float) -> None:
        known = {one.tier: one for one in ctx.config.tiers}
        if tier not in known:
            raise RefusedError(404, f"no tier {tier}")
        if limit not in LIMITS or not 0 <= to < 1:
            raise RefusedError(422, "limit: hourly or daily; to: from 0 to below 1")
        hour_fen, day_fen = known[tier].hour_limit_fen, known[tier].day_limit_fen
        agreed_fen = hour_fen if limit == "hourly" else day_fen
        if agreed_fen is None:
            raise RefusedError(409, f"{tier} has no {limit} limit")
        self._ctx = ctx
        self._tier = tier
        self._limit = limit
        self._agreed_fen = agreed_fen
        self._now_fen = int(agreed_fen * to)

    async def take(self) -> dict[str, object]:
        await self._set(self._now_fen)
        return {"was_fen": self._agreed_fen, "now_fen": self._now_fen}

    async def release(self) -> None:
        await self._set(self._agreed_fen)

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
