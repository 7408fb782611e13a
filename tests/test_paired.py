"""The sign-flip test and its interval: against counting, against the literature, by simulation."""

import itertools
import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.paired import EXACT_MAX, Paired, holm
from harness.compare.power import PAIRS_MIN, detectable, pairs_to_decide
from harness.compare.vote import vote, wilson

# Whole numbers: their sums are exact, so ties are ties.
DIFFERENCES = st.lists(st.integers(-50, 50), min_size=1, max_size=9).map(
    lambda found: tuple(float(one) for one in found)
)


def counted(differences: tuple[float, ...], centre: float) -> float:
    """The share of all choices of signs with a sum at least as large as the one seen."""
    about = [one - centre for one in differences]
    seen = sum(about)
    choices = list(itertools.product((1, -1), repeat=len(about)))
    far = sum(
        sum(s * one for s, one in zip(signs, about, strict=True)) >= seen - 1e-9
        for signs in choices
    )
    return far / len(choices)


@settings(deadline=None)
@given(DIFFERENCES, st.integers(-20, 20))
def test_p_values_are_those_of_counting_every_choice_of_signs(
    differences: tuple[float, ...], centre: int
) -> None:
    paired = Paired(differences)
    turned = Paired(tuple(-one for one in differences))
    assert paired.p_above(centre) == pytest.approx(counted(differences, centre))
    assert paired.p_below(centre) == turned.p_above(-centre)
    assert paired.p_differs() == turned.p_differs()


def test_darwins_maize_as_fisher_counted_it() -> None:
    """The Design of Experiments, section 21: of 32,768 choices 863 have a sum of 314 or more."""
    eighths = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
    assert Paired(tuple(map(float, eighths))).p_above(0) == 863 / 32768


@settings(deadline=None)
@given(DIFFERENCES, st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_is_what_the_test_does_not_reject(
    differences: tuple[float, ...], level: float
) -> None:
    paired = Paired(differences)
    found = paired.interval(level)
    outside = (1 - found.coverage) / 2
    assert found.low <= paired.estimate + 1e-9
    assert found.high >= paired.estimate - 1e-9
    assert paired.p_above(found.low - 1e-6) <= outside + 1e-9
    assert paired.p_above(found.low) > outside
    assert paired.p_below(found.high) > outside
    if len(differences) >= 6:
        assert found.coverage >= level


def test_so_few_pairs_say_how_little_they_say() -> None:
    assert Paired((1.0, 2.0, 6.0)).interval().coverage == 0.75
    assert Paired((1.0,)).interval().coverage == 0
    assert Paired((1.0,) * 8).interval().coverage == pytest.approx(1 - 12 / 256)


def test_the_interval_covers_as_often_as_it_says() -> None:
    dice = Random(3)
    inside = 0
    for _ in range(1500):
        found = Paired(tuple(dice.gauss(0.3, 1) for _ in range(8))).interval()
        inside += found.low <= 0.3 <= found.high
    assert inside / 1500 == pytest.approx(1 - 12 / 256, abs=0.017)  # three standard errors


def test_many_pairs_are_drawn_at_random_and_agree_with_counting() -> None:
    dice = Random(4)
    differences = tuple(dice.gauss(0.5, 1) for _ in range(EXACT_MAX + 1))
    drawn = Paired(differences)
    exact = _exact(differences, 0.0)
    assert drawn.p_above(0.0) == pytest.approx(exact, abs=4 * math.sqrt(exact / 32768))
    assert drawn.p_above(0.0) == Paired(differences).p_above(0.0)
    nothing = Paired((0.0,) * 20)
    assert nothing.p_differs() == 1
    assert Paired((1.0,) * 20).p_above(0.0) == 1 / 32768


def _exact(differences: tuple[float, ...], centre: float) -> float:
    sums = [0.0]
    for one in differences:
        sums += [total + one - centre for total in sums]
    return sum(total <= 0 for total in sums) / len(sums)


@settings(deadline=None)
@given(DIFFERENCES, st.integers(1, 20))
def test_sameness_asks_both_sides(differences: tuple[float, ...], margin: int) -> None:
    paired = Paired(differences)
    assert paired.p_same(margin) == max(paired.p_above(-margin), paired.p_below(margin))
    if abs(paired.estimate) >= margin:
        assert paired.p_same(margin) > 0.3


def test_differences_of_nothing_are_the_same_and_never_a_difference() -> None:
    nothing = Paired((0.0,) * 8)
    assert nothing.p_differs() == 1
    assert nothing.p_same(0.01) == 1 / 256
    assert nothing.p_same(0.0) == 1


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    assert all(new >= old for new, old in zip(adjusted, p_values, strict=True))
    assert [adjusted[at] for at in order] == sorted(adjusted)
    assert max(adjusted) <= 1


def test_holm_of_a_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@settings(max_examples=200, deadline=None)
@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(0.05, 5))
def test_more_spread_never_takes_fewer_pairs(centre: float, spread: float, margin: float) -> None:
    few, many = (pairs_to_decide(centre, s, margin) for s in (spread, 2 * spread))
    assert few is None or few >= PAIRS_MIN
    assert many is None or (few is not None and few <= many)


def test_pairs_to_decide_by_hand() -> None:
    # (1.96 + 0.84)^2 * 4 + 1.96^2 / 2 = 33.3
    assert pairs_to_decide(1.0, 2.0, 0.1) == 34
    assert pairs_to_decide(1.0, 1.0, 1.0) is None
    assert pairs_to_decide(0.0, 0.0, 1.0) == PAIRS_MIN
    assert pairs_to_decide(0.99, 5.0, 1.0) is None


def test_so_many_pairs_do_decide_in_about_four_of_five_cases() -> None:
    dice = Random(5)
    needed = pairs_to_decide(1.0, 1.1, 0.5)
    assert needed is not None
    assert needed <= EXACT_MAX
    decided = 0
    for _ in range(150):
        paired = Paired(tuple(dice.gauss(1.0, 1.1) for _ in range(needed)))
        decided += paired.p_differs() <= 0.05 and paired.estimate > 0.5
    assert decided / 150 >= 0.7


def test_what_so_many_pairs_can_find_lies_beyond_the_margin() -> None:
    assert detectable(1.0, 8, 0.0) > detectable(1.0, 16, 0.0)
    # With no margin, (1.96 + 1.28) / sqrt(n - 1.92); with one, never below it.
    assert detectable(1.0, 8, 0.0) == pytest.approx(3.2415 / math.sqrt(8 - 1.9207), abs=1e-3)
    assert detectable(0.1, 100, 1.0) == pytest.approx(1 + 1.2816 * 0.1 / 10, abs=1e-4)


@pytest.mark.parametrize(
    ("verdicts", "wrong", "says"),
    [
        (["held"] * 5, 0, ("held", 0)),
        (["held"] * 3 + ["breached"] * 2, 0, ("held", 0)),
        (["held"] * 2 + ["breached"] * 3, 0, ("breached", 1)),
        (["held"] * 5, 1, ("breached", 1)),
        (["held", "breached"], 0, ("inconclusive", 3)),
        (["held"] * 2 + ["inconclusive"] * 2, 0, ("inconclusive", 3)),
        (["held"] * 3 + ["inconclusive"] * 2, 0, ("held", 0)),
        ([None, None], 0, ("inconclusive", 3)),
    ],
)
def test_the_rule_of_the_vote(
    verdicts: list[str | None], wrong: int, says: tuple[str, int]
) -> None:
    found = vote(verdicts, wrong)
    assert (found.verdict, found.exit_code) == says


def test_nothing_is_held_of_which_a_run_had_to_be_stopped() -> None:
    runs: list[str | None] = ["held", "held", "held", "inconclusive"]
    assert vote(runs, 0).exit_code == 0
    found = vote(runs, 0, stopped=1)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    assert "1 of 4 had to be stopped or failed" in found.reason
    assert vote(["breached"] * 3, 0, stopped=1).exit_code == 1
    assert vote(runs, 1, stopped=1).exit_code == 1


def test_wilsons_interval_as_published() -> None:
    """Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for given_, known in (
        ((81, 263), (0.2553, 0.3662)), ((15, 148), (0.0624, 0.1605)),
        ((0, 20), (0.0, 0.1611)), ((1, 29), (0.0061, 0.1718)),
    ):  # fmt: skip
        assert wilson(*given_) == pytest.approx(known, abs=6e-5)
