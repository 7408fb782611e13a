"""Who is worked on when there are too many: draws before reads, and a quick no for the rest.

What has begun is always let in, draws go before questions, those before repayments and looks. At
the door, who can't have a slot within a moment is told at once that we are busy, and when to come
back: a queue that outlives its callers' patience does work that nobody waits for any more. How many
are worked on at once follows what comes of it: while callers are still there when their work ends
there may be one more; when they have gone by then, more at once only makes all of it too late.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from mock_lender.clock import now_ns
from mock_lender.http.slots import Slots
from mock_lender.resilience.profile import Settings

# The first is never shed: it ends what has begun.
BEGUN, DRAW, STATUS, REPAY, LOOK = range(5)
RANKS: Mapping[str, int] = {
    "post": BEGUN, "void": BEGUN, "draws": DRAW, "reserve": DRAW, "refuse": DRAW,
    "status": STATUS, "close": STATUS, "repay": REPAY, "repayments": REPAY, "quota": LOOK,
}  # fmt: skip
CUT_EVERY_NS = 100_000_000
CUT_TO = 0.9
COME_BACK_MS = (400, 1600)
# Of the golden ratio: the next one is never near the last few.
STRIDE = 0.618033988749895


class AdaptiveLimit:
    """How many may be worked on at once. Pure: somebody else says what the time is.

    Raised by one whenever it was reached and the work was of use; cut by a tenth, ten times a
    second at most, when it was not. Slow work alone is no reason: what is slow behind us would not
    be any faster for fewer callers.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._least = max(1, most // 4)
        self._exact = float(most)
        self._cut_ns = 0

    @property
    def now(self) -> int:
        """At this moment."""
        return int(self._exact)

    def done(self, at_ns: int, *, wasted: bool, reached: bool) -> None:
        """A piece of work has ended. wasted: its caller had gone. reached: so many at once."""
        # Before the last cut: the clock was put back since.
        may_cut = not 0 <= at_ns - self._cut_ns < CUT_EVERY_NS
        if wasted and may_cut:
            self._exact, self._cut_ns = max(float(self._least), self._exact * CUT_TO), at_ns
        elif reached and not wasted:
            self._exact = min(float(self._most), self._exact + 1)


class Admission(Slots):
    """Slots by rank, with a limit that may be below their number. quick: who waits is told after
    a moment that it is in vain."""

    def __init__(self, most: int, settings: Settings, *, quick: bool) -> None:
        super().__init__(most)
        self._patience_s = settings.shed_after_s if quick else settings.call_timeout_s
        self._ranks: tuple[deque[asyncio.Future[bool]], ...] = tuple(deque() for _ in range(5))
        self._limit = AdaptiveLimit(most)
        self._kept_back = 0
        self._turned_away = 0

    @property
    def limit(self) -> int:
        """How many are let in at once at present."""
        return self.usable - self._kept_back

    async def enter(self, rank: int, within_s: float) -> bool:
        """Wait for a slot; False: there was none within this, and none is to be given back."""
        if self._free > 0:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._ranks[rank].append(turn)
        wait_s = within_s if rank == BEGUN else min(within_s, self._patience_s)
        timer = loop.call_later(wait_s, _in_vain, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.release()  # its turn had come at that very moment
            raise
        finally:
            timer.cancel()
            with suppress(ValueError):  # who got a slot has been taken out already
                self._ranks[rank].remove(turn)

    def leave(self, *, wasted: bool) -> None:
        """Give a slot back. wasted: nobody waited for the work any more."""
        self._limit.done(now_ns(), wasted=wasted, reached=self._free <= 0)
        self._keep_back()
        self.release()

    def take_out(self, number: int) -> None:
        super().take_out(number)
        self._keep_back()
        self._hand_out()

    def _keep_back(self) -> None:
        """As many as the limit says; one is always left of those that are usable."""
        kept_back = min(self.most - self._limit.now, max(0, self.usable - 1))
        self._free -= kept_back - self._kept_back
        self._kept_back = kept_back

    def _hand_out(self) -> None:
        for waiting in self._ranks:
            while self._free > 0 and waiting:
                turn = waiting.popleft()
                if not turn.done():
                    self._free -= 1
                    turn.set_result(True)

    def come_back_ms(self) -> int:
        """When one who was turned away may try again: not all of them at the same time."""
        self._turned_away += 1
        low, high = COME_BACK_MS
        return low + round((self._turned_away * STRIDE) % 1 * (high - low))

    def metrics(self) -> str:
        """For /metrics."""
        waiting = sum(not turn.done() for rank in self._ranks for turn in rank)
        return (
            f"admission_limit {self.limit}\nadmission_waiting {waiting}\n"
            f"turned_away_total {self._turned_away}\n"
        )


def _in_vain(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
