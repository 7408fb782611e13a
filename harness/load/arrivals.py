"""When draws fall due: a Poisson process over a changing rate, or evenly. Pure; no answer matters.

By time-rescaling: in the time that runs at the rate itself (one unit: one draw expected) the gaps
of a Poisson process are exponential with mean 1, whatever the rate does. So unit gaps are drawn
and carried back through the cumulated rate, which is inverted exactly.
"""

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.clock import NS_PER_S
from harness.scenario.shape import Shape, Stretch
from harness.scenario.shapes import cumulated


class Arrival(NamedTuple):
    """One draw: when, ns from t = 0, and where a trace says so, whose and how much."""

    due_ns: int
    borrower: int | None = None
    amount_fen: int | None = None


def arrivals(shape: Shape, dice: random.Random) -> Iterator[Arrival]:
    """Every draw of a shape in due order; `dice` is used for Poisson spacing alone."""
    even = shape.spacing == "even"
    due = even_times_ns(shape.stretches) if even else due_times_ns(shape.stretches, dice)
    traced = (Arrival(draw.due_ns, draw.borrower, draw.amount_fen) for draw in shape.traced)
    return heapq.merge((Arrival(due_ns) for due_ns in due), traced, key=lambda one: one.due_ns)


def due_times_ns(plan: Sequence[Stretch], dice: random.Random) -> Iterator[int]:
    """Due times of a Poisson process from t = 0, ns, in order.

    At the end of a stretch the process starts anew with the next rate, which is exact, since a
    Poisson process does not remember.
    """
    for stretch in plan:
        level = stretch.rate_per_s == stretch.last_per_s
        at_s, reached = stretch.start_s, 0.0
        while stretch.draws > 0:
            unit = dice.expovariate(1.0)
            reached += unit
            # On the level gap by gap: the same to the last digit, and no root to be drawn.
            at_s = at_s + unit / stretch.rate_per_s if level else _reached_s(stretch, reached)
            if at_s >= stretch.end_s:
                break
            yield int(at_s * NS_PER_S)


def even_times_ns(plan: Sequence[Stretch]) -> Iterator[int]:
    """The k-th draw is due when the cumulated rate reaches k = 1, 2, ...; ns, in order."""
    before, number = 0.0, 1
    for stretch in plan:
        while number <= before + stretch.draws and stretch.draws > 0:
            at_s = min(_reached_s(stretch, number - before), stretch.end_s)
            if at_s >= plan[-1].end_s:
                return
            yield int(at_s * NS_PER_S)
            number += 1
        before += stretch.draws


def _reached_s(stretch: Stretch, draws: float) -> float:
    """When so many draws are expected since the stretch's start, s; infinite: never on its line.

    The root of rate * x + slope * x^2 / 2 = draws, in the form that loses no digits.
    """
    rate, slope = stretch.rate_per_s, stretch.slope_per_s2
    square = rate * rate + 2 * slope * draws
    if square < 0:
        return math.inf
    below = rate + math.sqrt(square)
    return stretch.start_s + (2 * draws / below if below else 0.0)


def unit_gaps(plan: Sequence[Stretch], due_ns: Sequence[int]) -> list[float]:
    """Due times (in order) carried into the time that runs at the rate: the gaps, from t = 0 on.

    Of a Poisson process over this plan they are independent and exponential with mean 1.
    """
    expected = cumulated(plan, [0.0, *(due / NS_PER_S for due in due_ns)])
    return [after - before for before, after in pairwise(expected)]
