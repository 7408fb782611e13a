"""Sets the shares of each hour when it begins, as planned; whichever replica comes first does."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

from mock_lender.ledger.database import ContendedError, NoPrimaryError, StoreError
from mock_lender.ledger.funding import Shares
from mock_lender.ledger.store import Store
from mock_lender.telemetry import Telemetry

TICK_S = 0.1


class Treasurer:
    """One a ledger replica. hour: the one whose shares hold, as far as it knows; below 0: none."""

    def __init__(self, plan: Sequence[Shares], store: Store, telemetry: Telemetry) -> None:
        self._plan = plan
        self._store = store
        self._telemetry = telemetry
        self.hour = -1

    async def run(self) -> None:
        """Look, every tick, until cancelled; at once over when there is no plan."""
        while self._plan:
            await asyncio.sleep(TICK_S)
            # The database is away, or the disk full: the next tick tries again.
            with contextlib.suppress(StoreError, ContendedError, NoPrimaryError, OSError):
                await self._look()

    async def _look(self) -> None:
        began_ns, hour_ns, planned = await self._store.calendar()
        now = None if began_ns is None else (time.monotonic_ns() - began_ns) // hour_ns
        if now is None or now < 0:
            return
        hour = min(now, len(self._plan) - 1)
        if hour > planned and await self._store.plan_hour(hour, self._plan[hour]):
            self._telemetry.state("funding", f"hour {hour}", told(self._plan[hour]))
        self.hour = max(hour, planned)


def told(shares: Shares) -> str:
    """`own 40.0 % partner-a 60.0 %`."""
    parts = (f"{tier} {share * 100:.1f} %" for tier, share in sorted(shares.items()))
    return " ".join(parts) or "as before"
