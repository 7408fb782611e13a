"""Recovered: the first moment after the last heal from which the promise is kept as before.

On a grid of 0.25 s: of the promised intents due in [t, t + 5 s) a share within 2 points of the
baseline's is kept, their p90 is at most the larger of twice the baseline's and a tenth of
attempt_timeout, and it stays so to the end of the watch.

The baseline's p90 is known only as well as its draws tell it. Of a lender that turns away about a
tenth of the first presses it is a quick answer or a second press by chance, and what is twice the
lower of them says "stuck" of a lender that does what it always did. So it is taken at the upper end
of its 95 % interval by rank: nearly the same number where the baseline is steady. Where it is not,
the bound on the p90 is a wide one, and it is the share kept that tells.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from harness.clock import NS_PER_S
from harness.evidence.columnar import Columns
from harness.judge.ends import OF_PHASE, Ends, IntentEnd
from harness.judge.exposed import exposed_s
from harness.judge.latency import latencies_ms, rank_interval
from harness.judge.view import FaultLine, RunView

GRID_NS = NS_PER_S // 4
WINDOW_NS = 5 * NS_PER_S
POINTS = 0.02
# Acknowledged, and not in the ledger.
LOST = "SELECT count(*) FROM ends WHERE granted_ns IS NOT NULL AND paid_ns IS NULL"
BASELINE = f"""
SELECT count(*), count(*) FILTER ("end" = 'kept') FROM ends
WHERE promised AND {OF_PHASE["baseline"]}
"""
# Draws that are due together count together: whatever comes first of them, the sums are the same.
SERIES = """
SELECT due_ns, sum(("end" = 'kept')::INT) OVER w::BIGINT AS kept,
    sum((coalesce((granted_ns - due_ns)::DOUBLE / 1000000, 'infinity'::DOUBLE) <= $limit_ms)::INT)
        OVER w::BIGINT AS soon
FROM ends WHERE promised
WINDOW w AS (ORDER BY due_ns RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) ORDER BY due_ns
"""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Last observed heal → the promise is kept as before; `rto_s` from the first observed bite, of
    a drill with one fault; `stuck`: not reached by the end of the watch.

    Over the promised draws due in each window of 5 s on a grid of 0.25 s: kept within 2 points of
    the baseline's, p90 at most the larger of twice the baseline's (the upper end of its 95 %
    interval) and attempt_timeout / 10, and so to the end. Null without `stuck`: no data to tell by.
    """

    recover_s: float | None
    rto_s: float | None
    stuck: bool
    rpo_draws: int = 0
    # Stuck by how long answers took alone: draws were kept as before.
    slow_only: bool = False
    exposed_s: float | None = None


def recovery(
    view: RunView,
    ends: Sequence[IntentEnd],
    bad: Collection[int] = frozenset(),
    busy: Collection[int] = frozenset(),
) -> Recovery:
    """`rpo_draws`: acknowledged draws that the ledger does not have. `exposed_s`: how long it
    acknowledged with one copy, so that one more failure, of a disk, could have taken some.

    Over all draws whose grant was known; over the whole run. `exposed_s` is null when nothing is
    known of the databases. bad: seconds from t = 0 in which the generator was not well; windows
    with one of them say neither yes nor no. busy: those in which a CPU was waited for; of windows
    with one of them the p90 is not asked for.
    """
    last_ns = view.drain_end_ns or view.load_end_ns or _last_answer_ns(view)
    exposed = exposed_s(view.states, view.t0_ns, last_ns)
    return replace(_by_the_rule(view, ends, bad, busy), exposed_s=exposed)


def _last_answer_ns(view: RunView) -> int:
    (last_ns,) = view.books.one("SELECT max(done_ns) FROM attempts")
    return view.t0_ns if last_ns is None else int(last_ns)


def _by_the_rule(
    view: RunView, ends: Sequence[IntentEnd], bad: Collection[int], busy: Collection[int]
) -> Recovery:
    (lost,) = view.books.one(LOST, ends=Ends.of(ends))
    healed = [healed_ns(fault) for fault in view.faults]
    bites = [fault.observed_ns for fault in view.faults if fault.observed_ns is not None]
    known = [at_ns for at_ns in healed if at_ns is not None]
    if not known or len(known) < len(healed) or len(bites) < len(healed):
        # A remedy that the target owed and that was never seen: it has not recovered.
        owed = any(
            fault.healer == "target" and fault.observed_ns and fault.heal_observed_ns is None
            for fault in view.faults
        )
        return Recovery(None, None, stuck=owed, rpo_draws=lost)
    windows = Windows.of(view, ends)
    from_heal = _first_good_ns(view, windows, max(known), bad, busy)
    if from_heal is None:
        enough = bool(_starts_ns(view, max(known), bad))
        every = range(math.ceil(view.scenario.phases.load_s))
        kept = _first_good_ns(view, windows, max(known), bad, every) is not None
        return Recovery(None, None, stuck=enough, rpo_draws=lost, slow_only=kept)
    recover_s = (from_heal - max(known)) / NS_PER_S
    rto_s = None
    if len(view.faults) == 1:
        from_bite = _first_good_ns(view, windows, min(bites), bad, busy)
        rto_s = None if from_bite is None else (from_bite - min(bites)) / NS_PER_S
    return Recovery(recover_s, rto_s, stuck=False, rpo_draws=lost)


def healed_ns(fault: FaultLine) -> int | None:
    """When a fault was seen healed; for one without a heal its bite counts."""
    return fault.observed_ns if fault.healer == "nobody" else fault.heal_observed_ns


def _starts_ns(view: RunView, from_ns: int, bad: Collection[int]) -> Sequence[int]:
    """The starts of windows that fit before load ends, on the grid, without those that have a bad
    second."""
    last_ns = view.t0_ns + int(view.scenario.phases.load_s * NS_PER_S) - WINDOW_NS
    return [at_ns for at_ns in range(from_ns, last_ns + 1, GRID_NS) if not _has(view, at_ns, bad)]


def _has(view: RunView, at_ns: int, seconds: Collection[int]) -> bool:
    """Has the window that starts then one of these seconds?"""
    first, last = at_ns - view.t0_ns, at_ns + WINDOW_NS - 1 - view.t0_ns
    return any(second in seconds for second in range(first // NS_PER_S, last // NS_PER_S + 1))


def _first_good_ns(
    view: RunView,
    windows: "Windows | None",
    from_ns: int,
    bad: Collection[int],
    busy: Collection[int],
) -> int | None:
    """The first grid point from which every window to the end of the watch is good."""
    first: int | None = None
    if windows is None:
        return first
    for at_ns in _starts_ns(view, from_ns, bad):
        if not windows.good(at_ns, slow_too=_has(view, at_ns, busy)):
            first = None
        elif first is None:
            first = at_ns
    return first


@dataclass(frozen=True, slots=True)
class Windows:
    """Promised intents in order of their due times, summed up so that any window of them is one
    difference: how many were kept up to each, and how many known soon enough, those due with it
    counted too.

    A p90 by nearest rank is at most a bound just when that many of the values are.
    """

    share: float
    due_ns: Sequence[int]
    kept: Sequence[int]
    soon: Sequence[int]

    @classmethod
    def of(cls, view: RunView, ends: Sequence[IntentEnd]) -> "Windows | None":
        """Held against the baseline: the share that it kept of what was promised, and what its p90
        may become. None without a baseline."""
        usual_ms = usual_p90(latencies_ms(view, ends, "baseline"))
        promised, kept = view.books.one(BASELINE, ends=Ends.of(ends))
        if not promised or usual_ms is None:
            return None
        timeout_ms = view.scenario.load.patience.attempt_timeout_s * 1000
        at = {"limit_ms": max(2 * usual_ms, timeout_ms / 10)}
        found = Columns[object](view.books.table(SERIES, at, ends=Ends.of(ends)))
        return cls(kept / promised, *map(found.numbers, ("due_ns", "kept", "soon")))

    def good(self, from_ns: int, *, slow_too: bool) -> bool:
        """Is one window as good as the baseline? An empty one proves nothing. slow_too: by the
        share that was kept alone."""
        low = bisect_left(self.due_ns, from_ns)
        high = bisect_left(self.due_ns, from_ns + WINDOW_NS)
        count = high - low
        if not count:
            return False
        kept, soon = (
            sums[high - 1] - (sums[low - 1] if low else 0) for sums in (self.kept, self.soon)
        )
        as_kept = kept / count >= self.share - POINTS
        return as_kept and (slow_too or soon >= math.ceil(0.9 * count))


def usual_p90(ordered: Sequence[float]) -> float | None:
    """What the p90 of a baseline may be in truth: the upper end of its 95 % interval by rank. Its
    nearest rank where the interval has no end (too few draws, or not known to be granted): what
    can't be said must not widen a bound. None of nothing."""
    if not ordered:
        return None
    interval = rank_interval(ordered, 0.9)
    if interval is not None and math.isfinite(interval[1]):
        return interval[1]
    return ordered[math.ceil(0.9 * len(ordered)) - 1]
