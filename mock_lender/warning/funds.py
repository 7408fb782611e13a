"""Tiers that run short: who is drawn from last, what is sent for, and what borrowers are told."""

import asyncio
import contextlib
from dataclasses import dataclass

from mock_lender.cluster.replication import LOST
from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.context import ServiceContext
from mock_lender.ledger.setup import move_treasury
from mock_lender.rulebook import TooSlowError, Wanted, Writer
from mock_lender.warning.alarms import Alarms
from mock_lender.warning.runway import Runway, together_s

# A tier that lasts less long is drawn from last, and money is sent for.
SHORT_S = 8.0
# All tiers together: borrowers are told.
NEARLY_OVER_S = 2.0
# Money that is sent for arrives after so long, and lasts so long.
TOP_UP_AFTER_S, TOP_UP_FOR_S = 2.0, 20.0
LEASE_S = 7200.0
SHORTAGE = "shortage"


@dataclass(slots=True)
class Sent:
    """Money on its way to a tier."""

    tier: str
    amount_fen: int
    arrives_ns: int
    key: str


class Funds:
    """The run-ways of a lender's tiers."""

    def __init__(self, ctx: ServiceContext, writer: Writer, alarms: Alarms) -> None:
        self._ctx = ctx
        self._writer = writer
        self._alarms = alarms
        self.runways = {tier.tier: Runway() for tier in ctx.config.tiers}
        self.reserve_fen = ctx.config.reserve_fen
        self._spared: set[str] = set()
        self._sent: list[Sent] = []
        self._moving: dict[str, asyncio.Task[None]] = {}
        self._told = False
        self.top_ups_total = 0
        self.notices_total = 0

    def look(self, at_ns: int, has_fen: dict[str, int]) -> None:
        """What each tier has now; what arrives by now is moved."""
        for tier, fen in has_fen.items():
            if tier in self.runways:
                self.runways[tier].saw(at_ns, fen)
        short = {
            tier
            for tier, one in self.runways.items()
            if one.left_s is not None and one.left_s < SHORT_S
        }
        for tier in self.runways:
            self._alarms.look("ledger", f"run-way {tier}", bad=tier in short)
        with contextlib.suppress(TooSlowError):
            self._spread(short)
            self._tell()
        for tier in sorted(short - {one.tier for one in self._sent}):
            self._send_for(tier, at_ns)
        self._arrive(at_ns)

    def _spread(self, short: set[str]) -> None:
        """Short ones last, while others have more."""
        for tier in sorted(short - self._spared):
            self._writer.publish(f"spare {tier}", [Wanted("spare", LEASE_S, tier=tier)])
        for tier in sorted(self._spared - short):
            self._writer.withdraw(f"spare {tier}")
        self._spared = set(short)

    def _tell(self) -> None:
        """Borrowers, once, while hardly anything is left."""
        left_s = together_s(list(self.runways.values()))
        over = left_s is not None and left_s < NEARLY_OVER_S
        if over and not self._told:
            told = Wanted("shortage", LEASE_S, in_force_s=None, announced=True, above_fen=0)
            self._writer.publish(SHORTAGE, [told])
            self.notices_total += 1
        elif self._told and not over:
            self._writer.withdraw(SHORTAGE)
        self._told = over

    def _send_for(self, tier: str, at_ns: int) -> None:
        """From the reserve, as much as the tier needs for a while; nothing when that is used up."""
        one = self.runways[tier]
        needs_fen = int(one.most_fen_per_s * TOP_UP_FOR_S) - one.has_fen
        amount_fen = min(needs_fen, self.reserve_fen)
        if amount_fen <= 0:
            return
        self.reserve_fen -= amount_fen
        self.top_ups_total += 1
        key = f"warning-{tier}-{self.top_ups_total}-{at_ns}"
        self._sent.append(Sent(tier, amount_fen, at_ns + int(TOP_UP_AFTER_S * 1e9), key))

    def _arrive(self, at_ns: int) -> None:
        """Money that is due is moved, each sum by a task of its own: none is ever cut short, and
        nobody waits for a database that does not answer."""
        for one in [one for one in self._sent if one.arrives_ns <= at_ns]:
            if one.key not in self._moving:
                self._moving[one.key] = asyncio.create_task(self._move(one))

    async def _move(self, one: Sent) -> None:
        """Once a key: what may have arrived is moved again, and is there once."""
        try:
            with contextlib.suppress(*LOST, TimeoutError, RefusedError):
                dsn, offset_ns = primary_dsn(self._ctx), self._ctx.clock_offset_ns
                if await move_treasury(dsn, one.tier, one.amount_fen, one.key, offset_ns):
                    self._sent.remove(one)
        finally:
            del self._moving[one.key]

    def figures(self) -> dict[str, float]:
        """Run-ways, seconds; those that are not known are left out."""
        known = {tier: one.left_s for tier, one in sorted(self.runways.items())}
        return {f'runway_s{{tier="{t}"}}': s for t, s in known.items() if s is not None}
