"""The protection `second_site`: does a replica's own way to the banks work, before it is needed?

Each gateway looks over the very edges by which it would have payouts made, whether or not anybody
draws through it at the time: a site that stands by, and can't reach a bank, says so beforehand. It
is ready as long as it reaches one of them; what a single bank does is its breaker's business.
"""

import asyncio
import contextlib
from collections.abc import Collection

from mock_lender.http.client import HopClient
from mock_lender.places import site_of
from mock_lender.telemetry import Telemetry

EVERY_S = 0.5
WITHIN_S = 0.4
MISSED = 2


class Routes:
    """Of one replica. `run` beside its work."""

    def __init__(self, client: HopClient, banks: Collection[str], telemetry: Telemetry) -> None:
        self._client = client
        self._telemetry = telemetry
        self._site = f"site {site_of(telemetry.replica)}"
        self._missed = dict.fromkeys(sorted(banks), 0)

    @property
    def cut(self) -> list[str]:
        """The banks that did not answer when they were last looked at."""
        return [bank for bank, missed in self._missed.items() if missed >= MISSED]

    @property
    def ready(self) -> bool:
        """Is there a way to any bank?"""
        return len(self.cut) < len(self._missed)

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            was_ready = self.ready
            # A full disk: it looks on without a record, or it would stay cut off when it no
            # longer is.
            with contextlib.suppress(OSError):
                await asyncio.gather(*(self._look(bank) for bank in self._missed))
                if self.ready != was_ready:
                    said = "cleared" if self.ready else "no way to any bank"
                    self._telemetry.state("alert", self._site, said)
            await asyncio.sleep(EVERY_S)

    async def _look(self, bank: str) -> None:
        was_cut = self._missed[bank] >= MISSED
        answers = await self._client.reaches(bank, WITHIN_S)
        self._missed[bank] = 0 if answers else self._missed[bank] + 1
        is_cut = self._missed[bank] >= MISSED
        if is_cut != was_cut:
            self._telemetry.state("route", bank, "cut" if is_cut else "there")

    def metrics(self) -> str:
        """For /metrics."""
        cut = self.cut
        return "".join(f'way_to{{bank="{bank}"}} {int(bank not in cut)}\n' for bank in self._missed)
