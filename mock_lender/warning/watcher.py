"""The early warning: looks around twice a second, at money eight times, says where something is
wrong, tells borrowers before they try, and starts the remedy.

    sees                                       alerts        tells, and starts
    a replica or bank silent, failing,         it
    queueing, short of slots, its clock off
    an open breaker, a replica put out         its target
    no primary database, or one copy           database
    a tier's run-way is short                  ledger        spread: it is drawn from last;
                                                             top up, from the reserve
    all tiers' run-way is nearly over          ledger        notice of a shortage
    risk refuses more than borrowers know of   risk          notice
    a date of the rules file is near or begins compliance    notice; adopt

Notices take a promise back before it is broken: the guarantee rises by them and the access does
not. It runs in the console's process, whose pen and treasury it needs.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Mapping

from mock_lender.console.calendar import BEFORE, Calendar
from mock_lender.context import ServiceContext
from mock_lender.rulebook import Entry, TooSlowError, Writer
from mock_lender.warning.alarms import Alarms
from mock_lender.warning.eyes import Breakers, Purse, Seen, Services, database_ails
from mock_lender.warning.funds import Funds

TICK_S = 0.125
# Everything but money is looked at every fourth time: less time shows too few of its calls.
OTHERS_EVERY = 4
# How far ahead a date is seen to come.
HORIZON_NS = 3_000_000_000
# So long a date is news.
NEWS_NS = 5_000_000_000
MISSES = 2
FAILED_SHARE, SERVED_MIN = 0.2, 10
QUEUE = 2.0
CLOCK_OFF_S = 0.3
DATABASE = "database"


class Watcher:
    """Of one lender; `run` goes on until it is cancelled."""

    def __init__(self, ctx: ServiceContext, writer: Writer, calendar: Calendar) -> None:
        self._ctx = ctx
        self._writer = writer
        self._adoption_ns = calendar.adoption_ns
        self._late_ns = calendar.late_ns
        self._services = Services(ctx)
        self._breakers = Breakers(ctx.rulebook_json.parent)
        self._purse = Purse(ctx)
        self.alarms = Alarms(lambda hop, state: ctx.telemetry.state("alert", hop, state))
        self.funds = Funds(ctx, writer, self.alarms)
        self._before: Mapping[str, Seen] = {}
        self._opened: set[str] = set()
        # Who has not been up yet is not missed.
        self._up: set[str] = set()
        self.notices_total = 0
        self.adoptions_total = 0

    async def run(self) -> None:
        """Look, think, act; a look that fails is made again."""
        try:
            for turn in itertools.count():
                began_s = time.monotonic()
                with contextlib.suppress(OSError):  # a full disk, say
                    await (self.look_at_money() if turn % OTHERS_EVERY else self.look())
                await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - began_s)))
        finally:
            self._purse.leave()

    async def look(self) -> None:
        """Once, at everything."""
        self.look_at_dates(time.monotonic_ns())
        seen, _ = await asyncio.gather(self._services.look(), self.look_at_money())
        self.look_at_services(seen)
        broken = self._breakers.look()
        self._opened |= broken
        for target in sorted(self._opened):
            self.alarms.look(target, "breaker", bad=target in broken)
        ails = database_ails(self._ctx.witness_json)
        self._up.update([] if ails else [DATABASE])
        bad = ails and DATABASE in self._up
        self.alarms.look(DATABASE, "witness", bad=bad, needs=MISSES)

    async def look_at_money(self) -> None:
        """What tiers have: one may be emptied at once, and until its notice every draw breaks."""
        if (has_fen := await self._purse.look()) is not None:
            self.funds.look(time.monotonic_ns(), has_fen)

    def look_at_services(self, seen: Mapping[str, Seen]) -> None:
        """Who is silent, fails, queues, lacks slots, or has another time than most?"""
        mine = sum(abs(one.clock_off_s or 0.0) > CLOCK_OFF_S for one in seen.values())
        for name, one in seen.items():
            look = self._looking(name)
            self._up.update([name] if one.answers else [])
            look("silent", not one.answers and name in self._up, MISSES)
            if not one.answers:
                continue
            look("failing", _fails(one, self._before.get(name)), 1)
            slots = one.numbers.get("slots_total", 0.0)
            busy = one.numbers.get("posts_in_progress", 0.0)
            look("queue", slots > 0 and busy > QUEUE * slots, MISSES)
            look("slots", one.numbers.get("slots_usable", slots) < slots, 1)
            # Where most are wrong about the time, it is we who are.
            off = abs(one.clock_off_s or 0.0) > CLOCK_OFF_S and mine <= len(seen) / 2
            look("clock", off, 1)
        self._before = seen

    def _looking(self, name: str) -> Callable[[str, bool, int], None]:
        def look(reason: str, bad: bool, needs: int) -> None:
            self.alarms.look(name, reason, bad=bad, needs=needs)

        return look

    def look_at_dates(self, now_ns: int) -> None:
        """Policies that borrowers have not been told of; rules that are near, or are law."""
        news: set[str] = set()
        for entry in self._writer.entries:
            if entry.ended_ns <= now_ns or entry.kind not in ("risk", "compliance"):
                continue
            begins_ns = entry.in_force_ns if entry.in_force_ns is not None else entry.adopted_ns
            if begins_ns is None or begins_ns > now_ns + HORIZON_NS:
                continue
            with contextlib.suppress(TooSlowError):
                self._prepare(entry, now_ns)
            if begins_ns <= now_ns < begins_ns + NEWS_NS and entry.name != BEFORE:
                news.add(entry.kind)
        for kind in ("risk", "compliance"):
            self.alarms.look(kind, "news", bad=kind in news)

    def _prepare(self, entry: Entry, now_ns: int) -> None:
        """Adopt it, unless that is on its way; and tell borrowers from when they are refused."""
        sooner_ns: int | None = None
        in_force_ns, adopted_ns = entry.in_force_ns, entry.adopted_ns
        if entry.rule is not None and in_force_ns is not None and adopted_ns is not None:
            soonest_ns = max(in_force_ns, now_ns + self._adoption_ns) + self._late_ns
            if soonest_ns < adopted_ns:
                sooner_ns = soonest_ns
                self.adoptions_total += 1
        refuses = entry.rule is not None or adopted_ns is not None
        untold = entry.announced_ns is None and refuses
        self.notices_total += untold
        if untold or sooner_ns is not None:
            self._writer.amend(entry.number, adopted_ns=sooner_ns, announce=untold)

    def figures(self) -> dict[str, float]:
        """For /metrics."""
        return {
            "alerts_raised_total": self.alarms.raised_total,
            "alerts_raised": len(self.alarms.raised),
            "notices_total": self.notices_total + self.funds.notices_total,
            "adoptions_started_total": self.adoptions_total,
            "top_ups_started_total": self.funds.top_ups_total,
            "reserve_left_fen": self.funds.reserve_fen,
            **self.funds.figures(),
        }


def _fails(now: Seen, before: Seen | None) -> bool:
    """A fifth of what it has answered since the last look, if that was enough to tell."""
    if before is None:
        return False
    served = now.numbers.get("requests_served_total", 0) - before.numbers.get(
        "requests_served_total", 0
    )
    failed = now.numbers.get("requests_failed_total", 0) - before.numbers.get(
        "requests_failed_total", 0
    )
    return served >= SERVED_MIN and failed > FAILED_SHARE * served
