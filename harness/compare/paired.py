"""The sign-flip test over paired differences, and the interval that goes with it.

If two arms are the same, each pair's difference could as well have had the other sign. Flip every
choice of signs: the p-value is the share of choices whose sum is at least as far out as the one
seen. Exactly that is read from the means of all subsets of the differences: flipping the signs of a
subset T about a centre c gives a sum as large as the one seen just when the mean of T is at most c.
So P(centre <= c) = (1 + number of subsets with a mean up to c) / 2^n, and the subset means, in
order, cut the line into 2^n parts that are equally likely to hold the centre (Hartigan 1969, "Using
subsample values as typical values", JASA 64): every k-th lowest and k-th highest is an interval.

Exact up to EXACT_MAX pairs; beyond it DRAWN subsets drawn at random take the place of all, and the
choice that was seen is counted with them (Phipson and Smyth 2010), which keeps p-values honest.
What is needed of the differences: under "no difference" the pairs' signs are open, which pairing
the same seeds in turns gives; for an interval, that they spread evenly about their centre.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.seeds import stream

EXACT_MAX = 16
DRAWN = 1 << 15
# Sums of floats differ in their last digits by the order of adding; such means are the same.
SAME = 1e-12


@dataclass(frozen=True)
class Interval:
    """low, high: where the centre lies with the given coverage, 0 to 1."""

    low: float
    high: float
    coverage: float

    @property
    def told(self) -> str:
        """What comes before it: `95 %:`, and what so few pairs give instead."""
        return f"{min(95, int(self.coverage * 100)) if self.coverage else 0} %:"


@dataclass(frozen=True)
class Paired:
    """The differences of some pairs, in any unit; at least one."""

    differences: tuple[float, ...]

    @property
    def estimate(self) -> float:
        """Their mean."""
        return sum(self.differences) / len(self.differences)

    @property
    def spread(self) -> float:
        """Their standard deviation; 0 for one alone."""
        if len(self.differences) < 2:
            return 0.0
        mean = self.estimate
        squares = sum((one - mean) ** 2 for one in self.differences)
        return float((squares / (len(self.differences) - 1)) ** 0.5)

    def p_above(self, centre: float) -> float:
        """One-sided: how well do the differences fit a centre of at most so much? Small: they lie
        above it."""
        upto = bisect_right(self._means, centre + self._same)
        return (1 + upto) / self._choices

    def p_below(self, centre: float) -> float:
        """The same for a centre of at least so much."""
        from_it = len(self._means) - bisect_left(self._means, centre - self._same)
        return (1 + from_it) / self._choices

    def p_differs(self) -> float:
        """Two-sided: how well do they fit a centre of zero?"""
        return min(1.0, 2 * min(self.p_above(0.0), self.p_below(0.0)))

    def p_same(self, margin: float) -> float:
        """Two one-sided tests: how well do they fit a centre outside of -margin to margin?"""
        return max(self.p_above(-margin), self.p_below(margin))

    def interval(self, level: float = 0.95) -> Interval:
        """Of the centre. So few pairs that no interval covers `level` give the widest there is,
        with the coverage it has: three pairs, 75 %."""
        means = self._means
        outside = max(1, int((1 - level) / 2 * self._choices + SAME))
        return Interval(means[outside - 1], means[-outside], 1 - 2 * outside / self._choices)

    @property
    def _choices(self) -> int:
        return len(self._means) + 1

    @property
    def _same(self) -> float:
        return SAME * max(1.0, *(abs(one) for one in self.differences))

    @cached_property
    def _means(self) -> Sequence[float]:
        """Of every subset but the empty one, or of those drawn; in order."""
        if len(self.differences) <= EXACT_MAX:
            return sorted(_all_means(self.differences))
        return sorted(_some_means(self.differences))


def _all_means(differences: Sequence[float]) -> list[float]:
    sums, sizes = [0.0], [0]
    for one in differences:
        sums += [total + one for total in sums]
        sizes += [size + 1 for size in sizes]
    return [total / size for total, size in zip(sums[1:], sizes[1:], strict=True)]


def _some_means(differences: Sequence[float]) -> list[float]:
    dice = stream(len(differences), "sign flips")
    found: list[float] = []
    while len(found) < DRAWN - 1:
        picked = dice.getrandbits(len(differences))
        chosen = [one for at, one in enumerate(differences) if picked >> at & 1]
        if chosen:
            found.append(sum(chosen) / len(chosen))
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: compared with a level each, at most one of all is
    wrongly below it with that chance (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = highest
    return adjusted
