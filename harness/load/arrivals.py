"""When draws fall due: a Poisson process over a shape. Pure; never depends on any answer."""

import random
from collections.abc import Iterator, Sequence

from harness.clock import NS_PER_S
from harness.scenario.shapes import Stretch


def due_times_ns(plan: Sequence[Stretch], dice: random.Random) -> Iterator[int]:
    """Due times from t = 0, ns, in order.

    Within a stretch gaps are exponential; at its end the process starts anew with the next rate,
    which is exact, since a Poisson process does not remember.
    """
    for stretch in plan:
        at_s = stretch.start_s
        while stretch.rate_per_s > 0:
            at_s += dice.expovariate(stretch.rate_per_s)
            if at_s >= stretch.end_s:
                break
            yield int(at_s * NS_PER_S)
