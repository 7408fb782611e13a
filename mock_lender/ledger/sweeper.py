"""Ends what a gateway left open: closes the payout key at the bank, then posts or voids.

Only the bank's word moves anything here. A bank that can't be reached is asked again later.
"""

import asyncio

from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.ledger.store import Stale, Store, StoreError
from mock_lender.resilience.profile import Settings

AGAIN_S = 1.0
AT_ONCE = 32


class Sweeper:
    """One a ledger replica; they share the work by claiming."""

    def __init__(self, ctx: ServiceContext, store: Store, client: HopClient) -> None:
        self._ctx = ctx
        self._store = store
        self._client = client
        self._settings = Settings.of(ctx.config.protections)

    async def run(self) -> None:
        """Look, every tick, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.sweeper_tick_s)
            try:
                stale = await self._store.claim_stale(
                    self._settings.sweeper_first_look_s, AGAIN_S, AT_ONCE
                )
                await asyncio.gather(*(self._close(one) for one in stale))
            except StoreError as exc:
                # The database is away; the next tick tries again, and says so in the record.
                self._ctx.telemetry.state("sweeper", "database", type(exc.__cause__).__name__)

    async def _close(self, stale: Stale) -> None:
        reply = await self._client.call(
            stale.bank, "POST", f"/payouts/{stale.payout_key}/close",
            body={}, draw_key=stale.draw_key, idempotent=True,
        )  # fmt: skip
        state = reply.body.get("state") if reply.ok else "unanswered"
        by = f"sweeper {self._ctx.name}"
        if state == "paid":
            await self._store.post(stale.draw_key, stale.try_, by)
        elif state == "closed":
            await self._store.void(stale.draw_key, stale.try_, "closed", by)
        self._ctx.telemetry.state("sweeper", stale.draw_key, str(state))
