"""The pacer: due times by time-rescaling, and evenly. Pure, so checked by figures alone."""

import math
import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.load.arrivals import arrivals, due_times_ns, even_times_ns, unit_gaps
from harness.scenario.shape import Shape, Stretch, Traced
from harness.scenario.shapes import cumulated
from tests.kolmogorov import exponential, ks_p, uniform

SEEDS = range(100)
# p of 100 p values: below it a pacer is wrong. The seeds are fixed, so the figures are too.
P_MIN = 0.01
# A level, ramps up and down to nothing, a pause, a jump: whatever a curve can do.
PLAN = (
    Stretch(0, 4, 20),
    Stretch(4, 8, 20, 120),
    Stretch(8, 10, 120, 0),
    Stretch(10, 11, 0),
    Stretch(11, 13, 80, 10),
    Stretch(13, 20, 10, 10),
    # Steep and thin: within a single gap the rate is another.
    *(Stretch(20 + 2 * n, 22 + 2 * n, *((1, 20) if n % 2 == 0 else (20, 1))) for n in range(30)),
)
Pacer = Callable[[Sequence[Stretch], random.Random], Iterator[int]]


@st.composite
def plans(draw: st.DrawFn) -> tuple[Stretch, ...]:
    """Stretches one after another, with any rates at their ends."""
    lengths = draw(st.lists(st.floats(0.01, 20), min_size=1, max_size=6))
    rates = st.one_of(st.just(0.0), st.floats(0.01, 60))
    found, at_s = [], 0.0
    for length_s in lengths:
        end = draw(st.one_of(st.none(), rates))
        found.append(Stretch(at_s, at_s + length_s, draw(rates), end))
        at_s = found[-1].end_s
    return tuple(found)


def total_draws(plan: Sequence[Stretch]) -> float:
    return cumulated(plan, [plan[-1].end_s])[0]


def p_of_gaps(pacer: Pacer, seed: int) -> float:
    """Are the rescaled gaps exponential with mean 1?"""
    due = list(pacer(PLAN, random.Random(seed)))
    return ks_p(unit_gaps(PLAN, due), exponential)


def p_of_places(pacer: Pacer, seed: int) -> float:
    """Given how many there are, are the rescaled due times spread evenly? Finds a wrong curve."""
    due = [due_ns / NS_PER_S for due_ns in pacer(PLAN, random.Random(seed))]
    return ks_p([draws / total_draws(PLAN) for draws in cumulated(PLAN, due)], uniform)


def as_steps(plan: Sequence[Stretch], dice: random.Random) -> Iterator[int]:
    """Wrong: a ramp taken for a step at its middle."""
    level = [Stretch(s.start_s, s.end_s, (s.rate_per_s + s.last_per_s) / 2) for s in plan]
    return due_times_ns(level, dice)


def thinned_wrongly(plan: Sequence[Stretch], dice: random.Random) -> Iterator[int]:
    """Wrong: candidates at the highest rate, kept by the rate of a moment ago."""
    for stretch in plan:
        highest, at_s = max(stretch.rate_per_s, stretch.last_per_s), stretch.start_s
        while highest > 0:
            before_s = at_s
            at_s += dice.expovariate(highest)
            if at_s >= stretch.end_s:
                break
            if dice.random() * highest < stretch.rate_at(before_s - 0.2):
                yield int(at_s * NS_PER_S)


def with_memory(plan: Sequence[Stretch], dice: random.Random) -> Iterator[int]:
    """Wrong: a gap is drawn with the rate at its beginning, however the rate changes in it."""
    for stretch in plan:
        at_s = stretch.start_s
        while (rate := max(stretch.rate_at(at_s), 1.0)) > 0:
            at_s += dice.expovariate(rate)
            if at_s >= stretch.end_s:
                break
            yield int(at_s * NS_PER_S)


def late_by_the_answers(plan: Sequence[Stretch], dice: random.Random) -> Iterator[int]:
    """Wrong: no draw within 5 ms of the one before, as a closed loop has it."""
    free_ns = 0
    for due_ns in due_times_ns(plan, dice):
        free_ns = max(due_ns, free_ns) + 5_000_000
        yield free_ns - 5_000_000


def test_rescaled_gaps_are_exponential_and_places_uniform_over_a_hundred_seeds() -> None:
    for measure in (p_of_gaps, p_of_places):
        found = [measure(due_times_ns, seed) for seed in SEEDS]
        assert ks_p(found, uniform) > P_MIN, measure
        assert 0 < sum(p < 0.05 for p in found) < 13


@pytest.mark.parametrize(
    "wrong",
    [
        as_steps,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (thinned_wrongly, with_memory, late_by_the_answers)
        ),
    ],
)
def test_that_bound_finds_wrong_pacers(wrong: Pacer) -> None:
    found = min(
        ks_p([measure(wrong, seed) for seed in SEEDS], uniform)
        for measure in (p_of_gaps, p_of_places)
    )
    assert found < P_MIN / 100


def test_even_spacing_is_found_not_to_be_poisson() -> None:
    assert p_of_gaps(lambda plan, dice: even_times_ns(plan), 0) < 1e-12


def test_the_test_itself_by_known_figures() -> None:
    """The published 5 % point of Kolmogorov's D at n = 100 is 0.13403."""
    far = (0.13403 - 0.005) / 0.99
    shifted = [(place + 0.5) / 100 * (1 - 2 * far) + far for place in range(100)]
    assert ks_p(shifted, uniform) == pytest.approx(0.05, abs=0.003)
    assert ks_p([(place + 0.5) / 100 for place in range(100)], uniform) > 0.999


@pytest.mark.parametrize(
    ("plan", "units", "due_s"),
    [
        # 10/s: a tenth of a second a unit.
        ([Stretch(0, 1, 10)], [1, 2, 3], [0.1, 0.3, 0.6]),
        # 0 to 10/s in 10 s: t * t / 2 draws by t; 2 -> 2 s, 8 -> 4 s, 18 -> 6 s.
        ([Stretch(0, 10, 0, 10)], [2, 6, 10], [2, 4, 6]),
        # 10/s to 0 in 10 s: 50 - (10 - t)^2 / 2; 18 -> 2 s, 32 -> 4 s; 50 are never passed.
        ([Stretch(0, 10, 10, 0)], [18, 14, 99], [2, 4]),
        # The first gap leads out of the first stretch; a new one starts at 2 s.
        ([Stretch(0, 2, 1), Stretch(2, 4, 2)], [3, 1, 9], [2.5]),
        # Nothing is due while nothing is drawn, and no dice are thrown for it.
        ([Stretch(0, 5, 0), Stretch(5, 6, 4)], [2, 9], [5.5]),
    ],
)
def test_due_times_worked_by_hand(
    plan: list[Stretch], units: list[float], due_s: list[float]
) -> None:
    class Dice(random.Random):
        def expovariate(self, lambd: float = 1.0) -> float:
            return units.pop(0) / lambd if units else 1e9

    found = [due_ns / NS_PER_S for due_ns in due_times_ns(plan, Dice())]
    assert found == pytest.approx(due_s)


@pytest.mark.parametrize(
    ("plan", "due_s"),
    [
        ([Stretch(0, 1, 4)], [0.25, 0.5, 0.75]),
        ([Stretch(0, 4, 0, 4)], [math.sqrt(2 * k / 1.0) for k in range(1, 8)]),
        # Half a draw is left over from the first stretch.
        ([Stretch(0, 1, 1.5), Stretch(1, 2, 2)], [1 / 1.5, 1.25, 1.75]),
        ([Stretch(0, 3, 0), Stretch(3, 5, 1)], [4]),
    ],
)
def test_even_times_worked_by_hand(plan: list[Stretch], due_s: list[float]) -> None:
    assert [due / NS_PER_S for due in even_times_ns(plan)] == pytest.approx(due_s)


@given(plans(), st.integers(0, 2**32))
def test_due_times_are_sorted_within_the_load_and_the_seeds(
    plan: tuple[Stretch, ...], seed: int
) -> None:
    found = list(due_times_ns(plan, random.Random(seed)))
    assert found == list(due_times_ns(plan, random.Random(seed)))
    assert found == sorted(found)
    assert all(0 <= due_ns < plan[-1].end_s * NS_PER_S for due_ns in found)
    mean = total_draws(plan)
    few = 7 * math.sqrt(mean) + 12
    assert -few <= len(found) - mean <= few
    for due_ns in found:
        at_s = due_ns / NS_PER_S
        here = [s for s in plan if s.start_s - 1e-9 <= at_s <= s.end_s + 1e-9]
        assert any(s.draws > 0 for s in here), "due while the rate is nothing"


@given(plans(), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_even_times_are_within_one_of_the_integral_at_any_moment(
    plan: tuple[Stretch, ...], shares: list[float]
) -> None:
    found = list(even_times_ns(plan))
    assert found == sorted(found)
    for share in [*shares, 1.0]:
        at_s = share * plan[-1].end_s
        due = sum(due_ns < at_s * NS_PER_S for due_ns in found)
        assert abs(due - cumulated(plan, [at_s])[0]) <= 1 + 1e-6


@given(plans())
def test_even_times_rescale_to_gaps_of_one(plan: tuple[Stretch, ...]) -> None:
    """Inverting the cumulated rate and cumulating again leads back; ns are cut, rates are not."""
    found = list(even_times_ns(plan))
    assert unit_gaps(plan, found) == pytest.approx([1.0] * len(found), abs=1e-6)


def test_traced_draws_come_in_their_turn() -> None:
    traced = (Traced(300_000_000, 7, None, 2), Traced(900_000_000, None, 500, 1))
    shape = Shape(("steady", "trace"), (Stretch(0, 1, 2),), "even", traced, "t.csv")
    found = [tuple(one) for one in arrivals(shape, random.Random(1))]
    assert found == [
        (300_000_000, 7, None), (500_000_000, None, None), (900_000_000, None, 500),
    ]  # fmt: skip
