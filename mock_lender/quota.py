"""The quota as borrowers are shown it: what policies leave of it, and the cache it comes through.

A cache keeps what it has read for a while; what it shows says how old it is. Guarded (protection
`quota_cache`), looks at one borrower share one reading, and while the ledger does not answer, what
is known is shown up to an age. Nothing is drawn on what is shown: the ledger looks for itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mock_lender.http.wire import Reply
from mock_lender.policies import judgement
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.profile import Settings
from mock_lender.rulebook import Entry
from mock_lender.scorecard import FULL_BP, Scorecard
from mock_lender.shut import COLD, is_shut

KEPT_MAX = 50_000
Read = Callable[[], Awaitable[Reply]]


def lowered(
    quota: Mapping[str, Any], borrower: int, policies: Iterable[Entry], scorecard: Scorecard
) -> dict[str, Any]:
    """What is shown of a quota under these policies; never below nothing."""
    policies = tuple(policies)
    said = judgement(borrower, 0, policies, scorecard)
    limit_fen = quota["limit_fen"] * said.limit_bp // FULL_BP
    available_fen = limit_fen - quota["outstanding_fen"] - quota["held_fen"]
    if said.reason is not None:
        available_fen = 0
    return {**quota, "limit_fen": limit_fen, "available_fen": max(available_fen, 0)}


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read, and when the reading began."""

    quota: Mapping[str, Any]
    read_ns: int

    def shown(self, now_ns: int) -> dict[str, Any]:
        """With its age."""
        return {**self.quota, "age_ms": (now_ns - self.read_ns) // 1_000_000}


@dataclass(frozen=True, slots=True)
class Flight:
    """One reading for many, by the deadline of whoever began it; None: it has none."""

    reading: asyncio.Task[Reply]
    deadline: Deadline | None


class QuotaCache:
    """That of one gateway."""

    def __init__(self, settings: Settings, *, guarded: bool) -> None:
        self._fresh_ns = int(settings.quota_fresh_s * 1e9)
        self._stale_ns = int(settings.quota_stale_s * 1e9) if guarded else self._fresh_ns
        self._guarded = guarded
        self._least_s = settings.least_s
        self._kept: dict[int, Kept] = {}
        self._flights: dict[int, Flight] = {}
        self._changed_ns: dict[int, int] = {}
        self.hits = 0
        self.reads = 0
        self.shared = 0
        self.stale = 0

    async def look(self, borrower: int, read: Read, deadline: Deadline | None = None) -> Reply:
        """A whole answer about a quota, or what came instead of one. deadline: of the look, which
        `read` keeps to as well; None: it has none."""
        kept = self._known(borrower, self._fresh_ns)
        if kept is not None:
            self.hits += 1
            return kept
        if self._guarded:
            reply = await self._together(borrower, read, deadline)
        else:
            reply = await self._read(borrower, read)
        if is_quota(reply) or (reply.kind == "answer" and reply.status == 404):
            return reply
        kept = self._known(borrower, self._stale_ns)
        if kept is None:
            return reply
        self.stale += 1
        return kept

    @contextmanager
    def changing(self, borrower: int) -> Iterator[None]:
        """What is known by the end of the block, or being read then, may be of before."""
        try:
            yield
        finally:
            self._forget(borrower)

    def _forget(self, borrower: int) -> None:
        self._kept.pop(borrower, None)
        self._flights.pop(borrower, None)
        _put(self._changed_ns, borrower, time.monotonic_ns())

    def counts(self) -> str:
        """For the gateway's metrics."""
        return (
            f"quota_cache_hits_total {self.hits}\nquota_cache_reads_total {self.reads}\n"
            f"quota_cache_shared_total {self.shared}\nquota_cache_stale_total {self.stale}\n"
            f"quota_cache_kept {len(self._kept)}\nquota_cache_cold {int(is_shut(COLD))}\n"
        )

    def _known(self, borrower: int, most_ns: int) -> Reply | None:
        kept, now_ns = self._kept.get(borrower), time.monotonic_ns()
        if is_shut(COLD):
            self._kept.clear()
            return None
        if kept is None or now_ns - kept.read_ns >= most_ns:
            return None
        return Reply("answer", "cache", 200, kept.shown(now_ns))

    async def _together(self, borrower: int, read: Read, deadline: Deadline | None) -> Reply:
        """One reading for all who look meanwhile. None of them can end it; and whose time was up
        before mine has not spoken for me."""
        while (flight := self._flights.get(borrower)) is not None:
            self.shared += 1
            reply = await asyncio.shield(flight.reading)
            if is_quota(reply) or self._has_time(flight.deadline) or not self._has_time(deadline):
                return reply
        flight = Flight(asyncio.create_task(self._read(borrower, read)), deadline)
        self._flights[borrower] = flight

        def landed(_: asyncio.Task[Reply]) -> None:
            if self._flights.get(borrower) is flight:
                del self._flights[borrower]

        flight.reading.add_done_callback(landed)
        return await asyncio.shield(flight.reading)

    def _has_time(self, deadline: Deadline | None) -> bool:
        return deadline is None or deadline.remaining_s >= self._least_s

    async def _read(self, borrower: int, read: Read) -> Reply:
        began_ns = time.monotonic_ns()
        self.reads += 1
        reply = await read()
        unchanged = self._changed_ns.get(borrower, 0) < began_ns
        if is_quota(reply) and unchanged and not is_shut(COLD):
            _put(self._kept, borrower, Kept(reply.body, began_ns))
        if not is_quota(reply):
            return reply
        shown = Kept(reply.body, began_ns).shown(time.monotonic_ns())
        return Reply("answer", reply.server, 200, shown)


def is_quota(reply: Reply) -> bool:
    """Does the ledger say what there is?"""
    return reply.ok and "available_fen" in reply.body


def _put(table: dict[int, Any], borrower: int, value: object) -> None:
    """The newest KEPT_MAX."""
    table.pop(borrower, None)
    if len(table) >= KEPT_MAX:
        del table[next(iter(table))]
    table[borrower] = value
