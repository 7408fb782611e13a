"""How many draws are due when, as curves. Pure.

A curve is a line through points (t in seconds from t = 0, draw intents a second), straight between
them, level before the first and after the last; two points at one moment are a jump. A curve is cut
to stretches that cover the load, and stretches of several curves are added. So the cumulated rate
is a sum of trapezia and can be inverted exactly, also on a slope.

Multiples such as 6 x and 12 x are design figures; where a public one stands behind, the docstring
says which. No public hourly figures of consumer draws were found.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from harness.scenario.shape import Stretch

__all__ = [
    "Curve", "RateStep", "ShapeMistake", "Spike", "Stretch", "added", "cumulated", "cut_off",
    "diurnal", "double_peak", "festival_eve", "level", "promotion", "quarter_end", "ramp",
    "rate_at", "repayment_day", "repeated", "step", "stretches",
]  # fmt: skip

Curve = tuple[tuple[float, float], ...]
REPAYMENT_DAY_TIMES = 6.0
PROMOTION_TIMES = 12.0
FESTIVAL_EVE_TIMES = 2.0
QUARTER_END_TIMES = 1.3
HALVINGS = 6
WORKING_DAYS = 5
TREADS_MAX = 1000
# By the hour from midnight, 0: the quietest, 1: the busiest. The form (quiet before dawn, a peak
# at noon, a higher one in the evening) is ours.
HOURS = (
    0.30, 0.18, 0.08, 0.02, 0.00, 0.02, 0.10, 0.25, 0.45, 0.60, 0.70, 0.78,
    0.80, 0.70, 0.62, 0.60, 0.62, 0.68, 0.78, 0.90, 1.00, 0.95, 0.75, 0.50,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RateStep:
    """From `at_s` on, `rate_per_s` draw intents are due each second."""

    at_s: float
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Spike:
    """`rate_per_s` from `at_s` for `for_s`, instead of the shape's own rate."""

    at_s: float
    for_s: float
    rate_per_s: float


class ShapeMistake(ValueError):
    """Values that are sound each by itself and not together: at which key, and what is right."""

    def __init__(self, key: str, found: str, allowed: str) -> None:
        super().__init__(f"{key}: {found}: {allowed}")
        self.key, self.found, self.allowed = key, found, allowed


def level(rate_per_s: float, steps: Sequence[RateStep], spikes: Sequence[Spike]) -> Curve:
    """Steady and spike: a rate that holds until the next step.

    A spike replaces whatever holds while it lasts; of two at once the first in the list counts.
    """
    ordered = sorted(steps, key=lambda step: step.at_s)

    def rate_at_s(at_s: float) -> float:
        for spike in spikes:
            if spike.at_s <= at_s < spike.at_s + spike.for_s:
                return spike.rate_per_s
        return next((s.rate_per_s for s in reversed(ordered) if s.at_s <= at_s), rate_per_s)

    edges = {step.at_s for step in steps} | {spike.at_s for spike in spikes}
    changes = sorted(edges | {spike.at_s + spike.for_s for spike in spikes})
    rates = (rate_per_s, *map(rate_at_s, changes))
    points = [
        (at_s, rate) for at_s, sides in zip(changes, pairwise(rates), strict=True) for rate in sides
    ]
    return tuple(points) or ((0.0, rate_per_s),)


def ramp(rate_per_s: float, to_per_s: float, at_s: float, rise_s: float) -> Curve:
    """From one rate to another in a straight line, and on at that: a morning, or a warm start."""
    return ((at_s, rate_per_s), (at_s + rise_s, to_per_s))


def step(
    rate_per_s: float, to_per_s: float, at_s: float, by_per_s: float | None, every_s: float | None
) -> Curve:
    """From one rate to another at once, or in equal treads `by` each `every`: a search for the
    rate at which a lender gives way. Public: an announced opening took all APIs together from
    1,500/s to 4,300/s (Monzo, 2.9 x). Raises ShapeMistake."""
    if (by_per_s is None) != (every_s is None):
        raise ShapeMistake("by" if every_s is None else "every", "one alone", "`by` with `every`")
    if by_per_s is None or every_s is None:
        return ((at_s, rate_per_s), (at_s, to_per_s))
    if by_per_s <= 0:
        raise ShapeMistake("by", f"{by_per_s:g}/s", "a rate above 0/s")
    if abs(to_per_s - rate_per_s) / by_per_s > TREADS_MAX:
        raise ShapeMistake("by", f"{by_per_s:g}/s", f"at most {TREADS_MAX} treads")
    points, rate, up = [], rate_per_s, to_per_s > rate_per_s
    while rate != to_per_s:
        after = min(rate + by_per_s, to_per_s) if up else max(rate - by_per_s, to_per_s)
        points += [(at_s, rate), (at_s, after)]
        rate, at_s = after, at_s + every_s
    return tuple(points) or ((at_s, rate),)


def _hump(
    rate_per_s: float, peak_per_s: float, at_s: float, rise_s: float, for_s: float, fall_s: float
) -> Curve:
    """From `at_s` up to the peak, there `for_s`, and down again."""
    if peak_per_s <= rate_per_s:
        raise ShapeMistake("peak", f"{peak_per_s:g}/s", f"a peak above the rate, {rate_per_s:g}/s")
    top_s, over_s = at_s + rise_s, at_s + rise_s + for_s
    return (
        (at_s, rate_per_s),
        (top_s, peak_per_s),
        (over_s, peak_per_s),
        (over_s + fall_s, rate_per_s),
    )


def double_peak(
    rate_per_s: float,
    first: tuple[float, float],
    second: tuple[float, float],
    rise_s: float,
    for_s: float,
    fall_s: float,
) -> Curve:
    """Two peaks, (at, peak) each, such as noon and evening, or two openings on one day: what the
    first left behind (queues, open breakers, empty tiers) meets the second. Raises ShapeMistake."""
    one = _hump(rate_per_s, first[1], first[0], rise_s, for_s, fall_s)
    two = _hump(rate_per_s, second[1], second[0], rise_s, for_s, fall_s)
    if second[0] < one[-1][0]:
        found, over_s = f"{second[0]:g} s", one[-1][0]
        raise ShapeMistake("again", found, f"after the first peak, which ends at {over_s:g} s")
    return (*one, *two)


def diurnal(
    rate_per_s: float,
    peak_per_s: float,
    midnight_s: float,
    day_s: float,
    load_s: float,
    hours: Sequence[float] = HOURS,
) -> Curve:
    """Day after day in small: `day_s` seconds stand for 24 hours, from midnight at `midnight_s`,
    before and after it alike. `hours`: levels from 0 (the rate) to 1 (the peak), at equal
    distances over the day. The default is of our own making: no public figures were found.
    Raises ShapeMistake."""
    if peak_per_s <= rate_per_s:
        raise ShapeMistake("peak", f"{peak_per_s:g}/s", f"a peak above the rate, {rate_per_s:g}/s")
    first = -int(midnight_s // day_s) - 1
    last = int((load_s - midnight_s) // day_s) + 1
    return tuple(
        (
            midnight_s + (day + hour / len(hours)) * day_s,
            rate_per_s + share * (peak_per_s - rate_per_s),
        )
        for day in range(first, last + 1)
        for hour, share in enumerate(hours)
    )


def repayment_day(
    rate_per_s: float, peak_per_s: float, at_s: float, rise_s: float, for_s: float, fall_s: float
) -> Curve:
    """The day on which instalments are due: who repays has quota again and draws. Up from `at_s`,
    a long top, down again; 6 x unless said otherwise. Behind it: Barclays on a payday that was a
    tax day too, UPI, the background story. Repayments themselves are not draws. Raises
    ShapeMistake."""
    return _hump(rate_per_s, peak_per_s, at_s, rise_s, for_s, fall_s)


def promotion(rate_per_s: float, peak_per_s: float, at_s: float, half_life_s: float) -> Curve:
    """An announced opening: all at once at `at_s`, then half of what is above the rate is left
    after each half-life (straight between them), nothing after seven. 12 x unless said otherwise:
    one API at an announced opening went from 150/s to 1,800/s (Monzo); Double 11 of 2020 had its
    highest second 26 s after midnight. Raises ShapeMistake."""
    if peak_per_s <= rate_per_s:
        raise ShapeMistake("peak", f"{peak_per_s:g}/s", f"a peak above the rate, {rate_per_s:g}/s")
    above = peak_per_s - rate_per_s
    return (
        (at_s, rate_per_s),
        # From the peak downwards: it is met to the last digit.
        *((at_s + n * half_life_s, peak_per_s - above * (1 - 0.5**n)) for n in range(HALVINGS + 1)),
        (at_s + (HALVINGS + 1) * half_life_s, rate_per_s),
    )


def festival_eve(
    rate_per_s: float, peak_per_s: float, rest_per_s: float, at_s: float, rise_s: float
) -> Curve:
    """The days before Spring Festival: more and more draws for `rise_s` until it begins at `at_s`;
    then people are at home, and `rest_per_s` is left at once. 2 x, then half, unless said
    otherwise. That money is short then is public (repo rates of 2017); the curve is ours.
    Raises ShapeMistake."""
    if peak_per_s <= rate_per_s:
        raise ShapeMistake("peak", f"{peak_per_s:g}/s", f"a peak above the rate, {rate_per_s:g}/s")
    begin_s = at_s - rise_s
    return ((begin_s, rate_per_s), (at_s, peak_per_s), (at_s, rest_per_s))


def quarter_end(
    rate_per_s: float, peak_per_s: float, at_s: float, rise_s: float, days: int = WORKING_DAYS
) -> Curve:
    """The last working days of a quarter, which ends at `at_s`: `days` treads of equal length over
    `rise_s`, each higher than the one before; on the first day of the next all is as before. 1.3 x
    unless said otherwise: the draws are not the trouble then, the money is (repo rates of year
    ends are public; the treads are ours). Raises ShapeMistake."""
    if peak_per_s <= rate_per_s:
        raise ShapeMistake("peak", f"{peak_per_s:g}/s", f"a peak above the rate, {rate_per_s:g}/s")
    points, before = [], rate_per_s
    for day in range(days):
        # From the peak downwards: it is met to the last digit, and never exceeded by one.
        after = peak_per_s - (peak_per_s - rate_per_s) * (days - day - 1) / days
        day_s = at_s - rise_s * (days - day) / days
        points += [(day_s, before), (day_s, after)]
        before = after
    return (*points, (at_s, before), (at_s, rate_per_s))


def repeated(curve: Curve, every_s: float, load_s: float) -> Curve:
    """What the curve does from its first point on, done again every `every_s` until the load ends.

    Raises ShapeMistake when it can't be over by then, or has nothing to do again.
    """
    first_s, last_s = curve[0][0], curve[-1][0]
    if last_s <= first_s:
        raise ShapeMistake("repeat", f"{every_s:g} s", "a shape that changes more than once")
    if every_s < last_s - first_s:
        raise ShapeMistake("repeat", f"{every_s:g} s", f"at least {last_s - first_s:g} s, its time")
    points = list(curve)
    for number in range(1, max(0, int((load_s - first_s) // every_s)) + 1):
        later_s = number * every_s
        points.append((first_s + later_s, curve[-1][1]))
        points += [(at_s + later_s, rate) for at_s, rate in curve]
    return tuple(points)


def cut_off(curve: Curve, given: Mapping[str, object], load_s: float) -> Iterator[tuple[str, str]]:
    """(key, what is lost) of a curve that begins before the load, or reaches a rate after it."""
    first_s, high_per_s = curve[0][0], max(rate for _, rate in curve)
    if first_s < 0:
        key = "rise" if "rise" in given else "at"
        at_0 = stretches(curve, load_s)[0].rate_per_s
        yield key, f"begins {-first_s:g} s before the load does, which starts at {at_0:.3g}/s"
    wanted = {key: given[key] for key in ("to", "peak", "second_peak") if key in given}
    for key, rate in (wanted or {"at": high_per_s}).items():
        reached_s = min((at_s for at_s, found in curve if found == rate), default=0.0)
        if reached_s >= load_s:
            yield key, f"{rate:g}/s is reached at {reached_s:g} s; the load ends at {load_s:g} s"


def stretches(curve: Curve, load_s: float) -> tuple[Stretch, ...]:
    """The curve over [0, load_s), cut at its points, without a gap."""
    # Further out than any moment of the drill; clipped below.
    ends = (min(0.0, curve[0][0]) - 1, curve[0][1]), (max(load_s, curve[-1][0]) + 1, curve[-1][1])
    found = []
    for (from_s, from_rate), (to_s, to_rate) in pairwise((ends[0], *curve, ends[1])):
        start_s, end_s = max(0.0, from_s), min(load_s, to_s)
        if start_s < end_s:
            whole = Stretch(from_s, to_s, from_rate, to_rate)
            found.append(Stretch(start_s, end_s, whole.rate_at(start_s), whole.rate_at(end_s)))
    return tuple(found)


def added(curves: Sequence[Sequence[Stretch]]) -> tuple[Stretch, ...]:
    """Rates summed; each of the sequences covers the same time without a gap."""
    if len(curves) == 1:
        return tuple(curves[0])
    edges = sorted({s.start_s for curve in curves for s in curve} | {curves[0][-1].end_s})
    places = [0] * len(curves)
    found = []
    for start_s, end_s in pairwise(edges):
        here = []
        for number, curve in enumerate(curves):
            while curve[places[number]].end_s <= start_s:
                places[number] += 1
            here.append(curve[places[number]])
        rates = (sum(s.rate_at(at_s) for s in here) for at_s in (start_s, end_s))
        found.append(Stretch(start_s, end_s, *rates))
    return tuple(found)


def rate_at(plan: Sequence[Stretch], at_s: float) -> float:
    """Draw intents a second at one moment of the plan; at a jump the later rate."""
    return next((s.rate_at(at_s) for s in plan if s.start_s <= at_s < s.end_s), 0.0)


def cumulated(plan: Sequence[Stretch], times_s: Sequence[float]) -> list[float]:
    """How many draws are expected before each of the times (s from t = 0, in any order)."""
    starts = [stretch.start_s for stretch in plan]
    before = [0.0, *accumulate(stretch.draws for stretch in plan)]
    found = []
    for at_s in times_s:
        place = bisect_left(starts, at_s) - 1
        if place < 0:
            found.append(0.0)
            continue
        one, till_s = plan[place], min(at_s, plan[place].end_s)
        part = Stretch(one.start_s, till_s, one.rate_per_s, one.rate_at(till_s))
        found.append(before[place] + part.draws)
    return found
