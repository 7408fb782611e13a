"""From the database's wall clock to the monotonic clock that evidence is dated by."""

import time

LOOKS = 200


def offset_ns() -> int:
    """CLOCK_MONOTONIC minus the wall clock, as near as it can be read.

    Two clocks can't be read at once: the wall clock is read between two readings of the other, and
    the tightest of many such brackets counts. A single reading is wrong by as much as the process
    was held up in between, and versions dated with it would seem to overtake one another.

    Measured once for all ledgers: both clocks are slewed alike, so it only changes when somebody
    sets the wall clock.
    """
    tightest_ns, best_ns = None, 0
    for _ in range(LOOKS):
        before_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        after_ns = time.monotonic_ns()
        if tightest_ns is None or after_ns - before_ns < tightest_ns:
            tightest_ns = after_ns - before_ns
            best_ns = (before_ns + after_ns) // 2 - wall_ns
    return best_ns
