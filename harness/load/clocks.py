"""How far a worker's clock is from the controller's, and how well that is known. Pure.

The exchange of NTP: the worker asks at t1, the master reads the question at t2 and answers at t3,
the worker reads that at t4. Whatever the delays of the two ways, the offset lies within half of
the time that was spent on them; of several exchanges the quickest knows best.
"""

from dataclasses import dataclass
from pathlib import Path

from harness.clock import NS_PER_S

EXCHANGES = 8
EVERY_NS = 10 * NS_PER_S
WAIT_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class Exchange:
    """t1 and t4 by the worker's clock, t2 and t3 by the master's, ns."""

    t1_ns: int
    t2_ns: int
    t3_ns: int
    t4_ns: int

    @property
    def offset_ns(self) -> int:
        """The worker's clock less the master's, as if both ways took equally long."""
        return ((self.t1_ns - self.t2_ns) + (self.t4_ns - self.t3_ns)) // 2

    @property
    def uncertainty_ns(self) -> int:
        """By how much the offset may be wrong, at most."""
        return ((self.t4_ns - self.t1_ns) - (self.t3_ns - self.t2_ns) + 1) // 2 + 1


def best(exchanges: list[Exchange]) -> Exchange:
    """The one that knows best."""
    return min(exchanges, key=lambda one: one.uncertainty_ns)


def applied_ns(offset_ns: int, uncertainty_ns: int) -> int:
    """What is taken off the times of a worker's rows: nothing, when its clock and the controller's
    can't be told apart. On one machine they are the same clock, and no measurement may spoil it."""
    return 0 if abs(offset_ns) <= uncertainty_ns else offset_ns


class Rounds:
    """Rounds of exchanges: one at once, one every 10 s, one more when asked for."""

    def __init__(self) -> None:
        self._asked = 0
        self._began_ns: int | None = None
        self._next_ns: int | None = None
        self._found: list[Exchange] = []

    def begin(self) -> None:
        """A round now, unless one is under way."""
        if self._began_ns is None:
            self._next_ns = None

    @property
    def resting(self) -> bool:
        """Is no round under way, and none due that was asked for?"""
        return self._began_ns is None and self._next_ns is not None

    def asks(self, now_ns: int) -> bool:
        """Is it time to ask? `now_ns` is then t1, by the worker's clock."""
        if self._began_ns is None:
            if self._next_ns is not None and now_ns < self._next_ns:
                return False
            self._began_ns, self._asked, self._found = now_ns, 0, []
        if self._asked == EXCHANGES:
            return False
        self._asked += 1
        return True

    def heard(self, exchange: Exchange) -> None:
        """An answer; one to a question of an earlier round is of no use."""
        if self._began_ns is not None and exchange.t1_ns >= self._began_ns:
            self._found.append(exchange)

    def done(self, now_ns: int) -> list[Exchange]:
        """What a round that has just ended has found, once; empty while there is none."""
        if self._began_ns is None or self._asked < EXCHANGES:
            return []
        if len(self._found) < EXCHANGES and now_ns - self._began_ns < WAIT_NS:
            return []
        self._began_ns, self._next_ns = None, now_ns + EVERY_NS
        return self._found


def kernel() -> str:
    """The running kernel: processes under one share CLOCK_MONOTONIC. Empty: unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
