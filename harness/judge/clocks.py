"""How well the times of each worker are known in the controller's clock.

A worker's rows carry the controller's time by one number, `applied_ns`, taken from the first round
of exchanges. Each round says to within what that number is right at that moment; between rounds
two machines may drift apart, by DRIFT_PPM at most (crystals are right to 100, and slewing is slow).
Under one kernel there is one clock and no drift.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from harness.evidence.rows import ClockRow
from harness.judge.view import RunView

DRIFT_PPM = 200
# The drill's own words for it, see harness.drill.
CLOCK_MOVED = "the wall clock was set"


@dataclass(frozen=True, slots=True)
class WorkerClock:
    """offset_ns: as first measured, worker less controller. error_ns: by how much a time of this
    worker may be wrong, at most, at any moment of the load."""

    worker: str
    offset_ns: int
    error_ns: int


def worker_clocks(view: RunView) -> tuple[WorkerClock, ...]:
    """By name; only workers whose clock was ever compared."""
    end_ns = view.load_end_ns or max((row.at_ns for row in view.clocks), default=view.t0_ns)
    return _compared(view.clocks, view.t0_ns, end_ns)


@lru_cache(maxsize=4)
def _compared(clocks: tuple[ClockRow, ...], from_ns: int, to_ns: int) -> tuple[WorkerClock, ...]:
    rows: dict[str, list[ClockRow]] = defaultdict(list)
    for row in clocks:
        rows[row.worker].append(row)
    return tuple(
        WorkerClock(worker, mine[0].offset_ns, _error_ns(mine, from_ns, to_ns))
        for worker, mine in sorted(
            (worker, sorted(found, key=lambda row: row.at_ns)) for worker, found in rows.items()
        )
    )


def ledger_is_dated(view: RunView) -> bool:
    """Do the ledger's dates say anything beside those of others? Not when somebody has set the wall
    clock that they are read from, which is a doubt of its own."""
    return not any(CLOCK_MOVED in failure for failure in view.harness_failures)


def clock_error_ns(view: RunView) -> int:
    """The worst of all workers; 0 where no clock was compared, which older runs did not."""
    return max((one.error_ns for one in worker_clocks(view)), default=0)


def _error_ns(rows: Sequence[ClockRow], from_ns: int, to_ns: int) -> int:
    """The worst moment: the ends, and half-way between two rounds, where both know least."""
    between = [(a.at_ns + b.at_ns) // 2 for a, b in pairwise(rows)]
    moments = [from_ns, to_ns, *(at_ns for at_ns in between if from_ns < at_ns < to_ns)]
    if all(row.same_kernel for row in rows):  # they are one clock: it is known alike at any moment
        moments = [from_ns]
    worst_ns = max(min(_known_ns(row, at_ns) for row in rows) for at_ns in moments)
    return worst_ns + max(_contradiction_ns(rows[0], row) for row in rows)


def _known_ns(row: ClockRow, at_ns: int) -> int:
    return row.uncertainty_ns + abs(row.offset_ns - row.applied_ns) + _drift_ns(row, at_ns)


def _drift_ns(row: ClockRow, at_ns: int) -> int:
    return 0 if row.same_kernel else abs(at_ns - row.at_ns) * DRIFT_PPM // 1_000_000


def _contradiction_ns(first: ClockRow, row: ClockRow) -> int:
    """By how much two rounds can't both be right: a clock was moved in between."""
    allowed_ns = first.uncertainty_ns + row.uncertainty_ns + _drift_ns(row, first.at_ns)
    return max(0, abs(row.offset_ns - first.offset_ns) - allowed_ns)
