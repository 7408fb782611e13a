"""Shapes as curves: rows worked by hand for each, and what holds for all of them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import shapes
from harness.scenario.shape import Stretch
from harness.scenario.shapes import Curve, RateStep, ShapeMistake, Spike, added, cumulated

# (from, to, rate at its start, rate at its end)
Rows = list[tuple[float, float, float, float]]


def rows(curve: Curve, load_s: float) -> Rows:
    found = shapes.stretches(curve, load_s)
    return [(s.start_s, s.end_s, s.rate_per_s, s.last_per_s) for s in found]


def flat(found: Rows) -> list[float]:
    return [number for row in found for number in row]


@pytest.mark.parametrize(
    ("name", "curve", "expected"),
    [
        ("steady", shapes.level(10, (), ()), [(0, 40, 10, 10)]),
        (
            "steady with steps in any order",
            shapes.level(10, (RateStep(20, 5), RateStep(10, 30)), ()),
            [(0, 10, 10, 10), (10, 20, 30, 30), (20, 40, 5, 5)],
        ),
        (
            "a spike stands over the step that holds, and passes",
            shapes.level(10, (RateStep(5, 20),), (Spike(7, 2, 100),)),
            [(0, 5, 10, 10), (5, 7, 20, 20), (7, 9, 100, 100), (9, 40, 20, 20)],
        ),
        (
            "of two spikes the first in the list; one may outlast the load",
            shapes.level(1, (), (Spike(10, 10, 50), Spike(15, 99, 70))),
            [(0, 10, 1, 1), (10, 15, 50, 50), (15, 20, 50, 50), (20, 40, 70, 70)],
        ),
        (
            "ramp",
            shapes.ramp(10, 50, 5, 20),
            [(0, 5, 10, 10), (5, 25, 10, 50), (25, 40, 50, 50)],
        ),
        ("a ramp down that the end cuts", shapes.ramp(40, 0, 20, 40),
         [(0, 20, 40, 40), (20, 40, 40, 20)]),
        ("step", shapes.step(10, 12, 5, None, None), [(0, 5, 10, 10), (5, 40, 12, 12)]),
        (
            "a staircase, its last tread as high as is left",
            shapes.step(10, 25, 5, 10, 4),
            [(0, 5, 10, 10), (5, 9, 20, 20), (9, 40, 25, 25)],
        ),
        ("a staircase down", shapes.step(10, 0, 5, 6, 4),
         [(0, 5, 10, 10), (5, 9, 4, 4), (9, 40, 0, 0)]),
        (
            "double peak",
            shapes.double_peak(10, (5, 30), (20, 50), 2, 3, 4),
            [(0, 5, 10, 10), (5, 7, 10, 30), (7, 10, 30, 30), (10, 14, 30, 10), (14, 20, 10, 10),
             (20, 22, 10, 50), (22, 25, 50, 50), (25, 29, 50, 10), (29, 40, 10, 10)],
        ),
        (
            "repayment day",
            shapes.repayment_day(10, 60, 5, 10, 5, 10),
            [(0, 5, 10, 10), (5, 15, 10, 60), (15, 20, 60, 60), (20, 30, 60, 10), (30, 40, 10, 10)],
        ),
        (
            "promotion: of 64/s above the rate half is left each 2 s, nothing after seven",
            shapes.promotion(6, 70, 10, 2),
            [(0, 10, 6, 6), (10, 12, 70, 38), (12, 14, 38, 22), (14, 16, 22, 14), (16, 18, 14, 10),
             (18, 20, 10, 8), (20, 22, 8, 7), (22, 24, 7, 6), (24, 40, 6, 6)],
        ),
        (
            "festival eve",
            shapes.festival_eve(10, 20, 5, 30, 10),
            [(0, 20, 10, 10), (20, 30, 10, 20), (30, 40, 5, 5)],
        ),
        ("a festival whose eve began before the drill", shapes.festival_eve(10, 20, 5, 5, 10),
         [(0, 5, 15, 20), (5, 40, 5, 5)]),
        (
            "quarter end in two working days",
            shapes.quarter_end(10, 13, 30, 20, 2),
            [(0, 10, 10, 10), (10, 20, 11.5, 11.5), (20, 30, 13, 13), (30, 40, 10, 10)],
        ),
        (
            "diurnal: four levels a day of 20 s from midnight at 5 s, before it too",
            shapes.diurnal(10, 30, 5, 20, 40, (0, 0.5, 1, 0.5)),
            [(0, 5, 20, 10), (5, 10, 10, 20), (10, 15, 20, 30), (15, 20, 30, 20), (20, 25, 20, 10),
             (25, 30, 10, 20), (30, 35, 20, 30), (35, 40, 30, 20)],
        ),
        (
            "a spike every 12 s",
            shapes.repeated(((5, 1), (5, 9), (8, 9), (8, 1)), 12, 40),
            [(0, 5, 1, 1), (5, 8, 9, 9), (8, 17, 1, 1), (17, 20, 9, 9), (20, 29, 1, 1),
             (29, 32, 9, 9), (32, 40, 1, 1)],
        ),
        (
            "a ramp again and again: holds its end, then jumps back",
            shapes.repeated(shapes.ramp(10, 50, 10, 10), 15, 40),
            [(0, 10, 10, 10), (10, 20, 10, 50), (20, 25, 50, 50), (25, 35, 10, 50),
             (35, 40, 50, 50)],
        ),
    ],
)  # fmt: skip
def test_curves_worked_by_hand(name: str, curve: Curve, expected: Rows) -> None:
    assert flat(rows(curve, 40)) == pytest.approx(flat(expected)), name


def test_a_day_is_quiet_before_dawn_and_busiest_in_the_evening() -> None:
    plan = shapes.stretches(shapes.diurnal(0, 100, 0, 24, 24), 24)
    rates = {hour: shapes.rate_at(plan, hour) for hour in range(24)}
    assert min(rates, key=lambda hour: rates[hour]) == 4
    assert max(rates, key=lambda hour: rates[hour]) == 20
    assert rates[4] == pytest.approx(0)
    assert rates[20] == pytest.approx(100)
    assert rates[12] > rates[15]


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: shapes.repayment_day(60, 60, 0, 1, 1, 1), "peak"),
        (lambda: shapes.promotion(10, 5, 0, 1), "peak"),
        (lambda: shapes.festival_eve(10, 10, 5, 9, 1), "peak"),
        (lambda: shapes.quarter_end(10, 10, 9, 1), "peak"),
        (lambda: shapes.diurnal(10, 10, 0, 24, 24), "peak"),
        (lambda: shapes.double_peak(10, (0, 20), (5, 20), 2, 2, 2), "again"),
        (lambda: shapes.step(10, 20, 0, 5, None), "by"),
        (lambda: shapes.step(10, 20, 0, None, 5), "every"),
        (lambda: shapes.step(10, 20, 0, 0, 5), "by"),
        (lambda: shapes.step(0, 5000, 0, 0.001, 5), "by"),
        (lambda: shapes.repeated(shapes.ramp(10, 50, 10, 10), 9, 40), "repeat"),
        (lambda: shapes.repeated(shapes.step(10, 50, 10, None, None), 9, 40), "repeat"),
    ],
)
def test_values_that_do_not_go_together(make: object, key: str) -> None:
    assert callable(make)
    with pytest.raises(ShapeMistake) as caught:
        make()
    assert caught.value.key == key


MOMENTS, SPANS, RATES = st.floats(0, 60), st.floats(0, 30), st.floats(0, 100)
PEAKS = st.floats(101, 500)
CURVES = st.one_of(
    st.builds(
        shapes.level,
        RATES,
        st.lists(st.builds(RateStep, MOMENTS, RATES), max_size=4),
        st.lists(st.builds(Spike, MOMENTS, SPANS, PEAKS), max_size=3),
    ),
    st.builds(shapes.ramp, RATES, PEAKS, MOMENTS, SPANS),
    st.builds(shapes.step, RATES, PEAKS, MOMENTS, st.floats(5, 50), st.floats(0.1, 9)),
    st.builds(shapes.diurnal, RATES, PEAKS, MOMENTS, st.floats(3, 50), st.just(60.0)),
    st.builds(shapes.repayment_day, RATES, PEAKS, MOMENTS, SPANS, SPANS, SPANS),
    st.builds(shapes.promotion, RATES, PEAKS, MOMENTS, st.floats(0.1, 9)),
    st.builds(shapes.festival_eve, RATES, PEAKS, RATES, MOMENTS, SPANS),
    st.builds(shapes.quarter_end, RATES, PEAKS, MOMENTS, SPANS, st.integers(1, 9)),
)


@given(CURVES, st.floats(1, 60))
def test_stretches_cover_the_load_without_a_gap(curve: Curve, load_s: float) -> None:
    found = shapes.stretches(curve, load_s)
    assert found[0].start_s == 0
    assert found[-1].end_s == load_s
    for one, after in pairwise(found):
        assert one.start_s < one.end_s == after.start_s
    assert all(0 <= rate <= 500 for s in found for rate in (s.rate_per_s, s.last_per_s))


@given(CURVES, st.floats(1, 60), st.floats(0, 1))
def test_the_cumulated_rate_is_the_integral(curve: Curve, load_s: float, share: float) -> None:
    """Against a sum of ten thousand slices taken in their middles."""
    found, till_s = shapes.stretches(curve, load_s), share * load_s
    slices, summed = 10_000, 0.0
    places = iter(found)
    here = next(places)
    for number in range(slices):
        at_s = (number + 0.5) / slices * till_s
        while at_s >= here.end_s:
            here = next(places)
        summed += here.rate_at(at_s) * till_s / slices
    jumps = 500 * till_s / slices * (len(found) + 1)
    assert cumulated(found, [till_s])[0] == pytest.approx(summed, abs=jumps + 1e-6)


@given(st.lists(CURVES, min_size=1, max_size=4), st.lists(st.floats(0, 60), max_size=8))
def test_adding_shapes_adds_their_integrals(curves: list[Curve], times_s: list[float]) -> None:
    parts = [shapes.stretches(curve, 60) for curve in curves]
    total = added(parts)
    assert (total[0].start_s, total[-1].end_s) == (0, 60)
    for one, after in pairwise(total):
        assert one.end_s == after.start_s
    for number, at_s in enumerate([*times_s, 60.0]):
        apart = sum(cumulated(part, [at_s])[0] for part in parts)
        together = cumulated(total, [*times_s, 60.0])[number]
        assert together == pytest.approx(apart, rel=1e-9, abs=1e-6)


@given(CURVES, st.floats(1, 40))
def test_what_repeats_is_the_same_in_each_turn(curve: Curve, more_s: float) -> None:
    first_s, last_s = curve[0][0], curve[-1][0]
    every_s = last_s - first_s + more_s
    if last_s <= first_s:
        return
    load_s = max(0.0, first_s) + 3 * every_s + 5
    plan = shapes.stretches(shapes.repeated(curve, every_s, load_s), load_s)
    turns = cumulated(plan, [max(0.0, first_s) + number * every_s for number in range(4)])
    counts = [after - before for before, after in pairwise(turns)]
    assert counts == pytest.approx([counts[0]] * 3, rel=1e-6, abs=1e-6)


def test_a_stretch_knows_its_line() -> None:
    one = Stretch(2, 6, 10, 30)
    assert (one.draws, one.slope_per_s2) == (80, 5)
    assert [one.rate_at(at_s) for at_s in (2, 3, 6)] == [10, 15, 30]
    assert Stretch(2, 6, 10).draws == 40
