"""What the answers should have been: known truths for a generator to be measured against. Pure.

Times are integers of one clock, in nanoseconds, unless a name says otherwise.
"""

import hashlib
import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

WITHIN_SHARE, WITHIN_MS = 0.02, 3.0


@dataclass(frozen=True, slots=True)
class Freeze:
    """From `from_ns` on nothing was answered; at `released_ns` all that waited was, in the order
    it had come, until `last_ns`. `answers` is how many waited."""

    from_ns: int
    released_ns: int
    last_ns: int
    answers: int


def queue_waits_ns(
    arrivals_ns: Sequence[int], services_ns: Sequence[int], servers: int
) -> list[int]:
    """The wait of each arrival for the first free of c servers, first come first served.

    Kiefer and Wolfowitz: W is the work left at each server, least first. An arrival waits W[0] and
    adds its service to it; until the next arrival, T later, each server works off T of its own:
    W' = sorted(max(0, (W[0] + S, W[1], ..) - T)). Raises ValueError for arrivals out of order,
    unequal lengths or no server.
    """
    if servers < 1:
        raise ValueError("at least one server")
    work_ns = [0] * servers
    waits_ns = []
    before_ns = arrivals_ns[0] if arrivals_ns else 0
    for arrival_ns, service_ns in zip(arrivals_ns, services_ns, strict=True):
        gap_ns = arrival_ns - before_ns
        if gap_ns < 0 or service_ns < 0:
            raise ValueError("arrivals in order, services not negative")
        work_ns = sorted(max(0, left_ns - gap_ns) for left_ns in work_ns)
        waits_ns.append(work_ns[0])
        work_ns[0] += service_ns
        before_ns = arrival_ns
    return waits_ns


def freeze_waits_ns(due_ns: Iterable[int], freezes: Sequence[Freeze]) -> list[int]:
    """What each had to wait for a stub that answers at once but in its freezes, which are in order
    of time: until the release."""
    starts = [freeze.from_ns for freeze in freezes]
    waits_ns = []
    for at_ns in due_ns:
        place = bisect_right(starts, at_ns) - 1
        until_ns = freezes[place].released_ns if place >= 0 else at_ns
        waits_ns.append(max(0, until_ns - at_ns))
    return waits_ns


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed. Raises ValueError of none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a quantile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def within(found_ms: float, true_ms: float) -> bool:
    """Is an answer right: within 2 % of the truth, or 3 ms?"""
    return abs(found_ms - true_ms) <= max(WITHIN_MS, WITHIN_SHARE * true_ms)


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Theil and Sen: the median of the slopes of all pairs, which one odd sample (a collection of
    garbage, a chunk half written) can't move; None for fewer than two different x."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(points, 2)
        if later[0] != earlier[0]
    ]
    return statistics.median(slopes) if slopes else None


def digest(rows: Iterable[tuple[object, ...]]) -> str:
    """SHA-256 over rows, whatever their order."""
    text = "\n".join(sorted("\t".join(map(str, row)) for row in rows))
    return hashlib.sha256(text.encode()).hexdigest()
