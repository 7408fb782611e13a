"""Which rate to try next: up in steps until the steady state breaks, then halfway between. Pure."""

import math
from collections.abc import Generator
from dataclasses import dataclass

DOWN_MOST = 6


@dataclass(frozen=True, slots=True)
class Steps:
    """first_per_s: where to begin. grow: the factor of a step up. exact: the knee is known once the
    lowest broken rate is at most so much above the highest held one (0.05: five in a hundred).
    most_per_s: never tried above."""

    first_per_s: float
    grow: float
    exact: float
    most_per_s: float


@dataclass(frozen=True, slots=True)
class Knee:
    """held_per_s: the highest rate held, None when none was. broken_per_s: the lowest that broke,
    None when none did. unsure_per_s: a rate that could not be judged, which ended the search."""

    held_per_s: float | None
    broken_per_s: float | None
    unsure_per_s: float | None


def search(steps: Steps) -> Generator[float, bool | None, Knee]:
    """Yields rates; is sent whether the steady state held there, or None when that can't be told.

    The steady state is taken to break once and to stay broken above; a lender that holds again at
    a higher rate is not looked for.
    """
    held: float | None = None
    broken: float | None = None
    rate = steps.first_per_s
    downs = 0
    while True:
        answer = yield rate
        if answer is None:
            return Knee(held, broken, rate)
        if answer:
            held = rate
        else:
            broken = rate
        if held is None:
            downs += 1
            if downs > DOWN_MOST:
                return Knee(None, broken, None)
            rate = tidy(rate / steps.grow)
        elif broken is None:
            if rate >= steps.most_per_s:
                return Knee(held, None, None)
            rate = min(tidy(rate * steps.grow), steps.most_per_s)
        else:
            rate = tidy(math.sqrt(held * broken))
            if broken / held <= 1 + steps.exact or not held < rate < broken:
                return Knee(held, broken, None)


def tidy(rate_per_s: float) -> float:
    """Three digits: a rate that people can read."""
    digits = 2 - math.floor(math.log10(rate_per_s))
    return round(rate_per_s, digits)
