"""Ends what a gateway left open: has the bank close the payout key, then posts or voids.

Only the bank's word moves anything here. A bank that can't be reached is asked again later, less
and less often; a bank that can't close is asked after the moment from which it refuses the payout.
It works in a lane of its own: its own connections to the database and to the banks.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.ledger.database import ContendedError, NoPrimaryError, StoreError
from mock_lender.ledger.store import Stale, Store

AGAIN_S = 1.0
AT_ONCE = 32
# A bank that does not answer must not keep the others waiting, whatever the profile's timeouts.
ASK_S = 1.0
EXPIRE_EVERY_S = 1.0


class Sweeper:
    """One a ledger replica; they share the work by claiming."""

    def __init__(self, ctx: ServiceContext, store: Store, client: HopClient) -> None:
        self._ctx = ctx
        self._store = store
        self._client = client
        self._settings = ctx.settings

    async def run(self) -> None:
        """Look, every tick, until cancelled."""
        ticks_per_expiry = round(EXPIRE_EVERY_S / self._settings.sweeper_tick_s)
        tick = 0
        while True:
            await asyncio.sleep(self._settings.sweeper_tick_s)
            tick += 1
            try:
                # What a breaker of ours would refuse is left to whoever can ask.
                shut = self._client.open_targets()
                stale = await self._store.claim_stale(AGAIN_S, AT_ONCE, shut)
                ends = [self._end(one) for one in stale]
                for came in await asyncio.gather(*ends, return_exceptions=True):
                    if isinstance(came, BaseException):
                        raise came
                if tick % ticks_per_expiry == 0:
                    await self._store.expire(self._ctx.config.expire_after_s, 1000)
            except (StoreError, ContendedError, NoPrimaryError, OSError) as exc:
                # The database is away, or the disk full; the next tick tries again, and says so in
                # the record where there is room for it.
                with contextlib.suppress(OSError):
                    self._ctx.telemetry.state("sweeper", "database", type(exc).__name__)

    async def _end(self, stale: Stale) -> None:
        path = f"/payouts/{stale.payout_key}"
        if stale.closes:
            reply = await self._client.call(
                stale.bank, "POST", f"{path}/close",
                body={}, draw_key=stale.draw_key, timeout_s=ASK_S, idempotent=True,
            )  # fmt: skip
        else:
            reply = await self._client.call(
                stale.bank, "GET", path, draw_key=stale.draw_key, timeout_s=ASK_S, idempotent=True
            )
        state = reply.body.get("state") if reply.ok else "unanswered"
        by = f"sweeper {self._ctx.name}"
        if state == "paid":
            await self._store.post(stale.draw_key, stale.try_, by)
        elif state == "closed":
            await self._store.void(stale.draw_key, stale.try_, "closed", by)
        elif state == "not_paid" and not stale.closes and _too_late(stale, reply.body):
            await self._store.void(stale.draw_key, stale.try_, "too_late", by)
        self._ctx.telemetry.state("sweeper", stale.draw_key, str(state))


def _too_late(stale: Stale, told: Mapping[str, Any]) -> bool:
    """Was this true at a time when what the bank had not paid it never would? By the bank's own
    clock, by which it refuses: ours, or the database's, may be another."""
    as_of_ns = told.get("as_of_ns")
    return stale.not_after_ns is None or (type(as_of_ns) is int and as_of_ns > stale.not_after_ns)
