"""One clock for all replicas: the date by which a rule is obeyed, whatever a replica's own says.

The replica asks the database for the time, by way of any ledger, and carries the answer forward by
how long ago that was. Setting a clock changes what it says the time is, not how time passes, so a
clock that somebody has set wrong dates nothing here. By what the answer may be wrong, a rule is
obeyed early rather than late, and longer rather than shorter.
"""

import asyncio
import contextlib
import time

from mock_lender import clock
from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.http.wire import Reply

AGAIN_S = 0.5
HURRY_S = 0.1
ASK_S = 0.5
# What quartz may run wrong by, of the time since it was compared.
DRIFT = 1e-4
READ_NS = 100_000


class OneClock:
    """This replica's view of it; its own clock until it has been told the time."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._own: HopClient | None = None
        self._following: asyncio.Task[None] | None = None
        self._told: tuple[int, int, int] | None = None

    async def start(self, client: HopClient | None = None) -> None:
        """Begin to ask, by this client; None: by one of its own."""
        if client is None:
            client = self._own = HopClient(self._ctx)
        self._following = asyncio.create_task(self._follow(client))

    async def stop(self) -> None:
        """Ask no more."""
        if self._following is not None:
            self._following.cancel()
        if self._own is not None:
            await self._own.close()

    def now_ns(self) -> int:
        """The latest that it may be now, as CLOCK_MONOTONIC, ns."""
        return self.between(time.monotonic_ns())[1]

    def between(self, at_ns: int) -> tuple[int, int]:
        """The earliest and the latest that a moment of the machine's clock, not before the last
        answer, may be, as CLOCK_MONOTONIC, ns."""
        if self._told is None:
            own_ns = clock.taken_for_ns(at_ns)
            return own_ns, own_ns
        heard_ns, said_ns, unsure_ns = self._told
        passed_ns = at_ns - heard_ns
        drift_ns = int(passed_ns * DRIFT)
        earliest_ns = said_ns + passed_ns
        return earliest_ns - drift_ns - READ_NS, earliest_ns + unsure_ns + drift_ns

    def figures(self) -> dict[str, float]:
        """For /metrics: what it may be wrong by; and by how much this replica's own clock is."""
        if self._told is None:
            return {}
        return {
            "one_clock_unsure_s": self._told[2] / 1e9,
            "own_clock_off_s": (clock.now_ns() - self.now_ns()) / 1e9,
        }

    async def _follow(self, client: HopClient) -> None:
        while True:
            asked_ns = time.monotonic_ns()
            with contextlib.suppress(OSError):  # a full disk: it is asked again in a moment
                reply = await client.call(
                    "ledger", "GET", "/clock", timeout_s=ASK_S, idempotent=True
                )
                self.told(reply, asked_ns, time.monotonic_ns())
            await asyncio.sleep(HURRY_S if self._told is None else AGAIN_S)

    def told(self, reply: Reply, asked_ns: int, heard_ns: int) -> None:
        """An answer. It is kept if it is surer than what was known: it was true at some moment
        between the question and its arrival."""
        said_ns = reply.body.get("now_ns")
        if not reply.ok or type(said_ns) is not int:
            return
        unsure_ns = heard_ns - asked_ns + READ_NS
        if self._told is not None:
            at_ns, _, before_ns = self._told
            if unsure_ns > before_ns + int((heard_ns - at_ns) * DRIFT) + READ_NS:
                return
        self._told = (heard_ns, said_ns, unsure_ns)
