"""Better, same, worse, or cannot tell: never worse by chance too often, and worse when it is."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.comparison import Comparison, compare
from harness.compare.measures import USUAL, chosen
from harness.compare.worth import worth
from harness.errors import ScenarioError
from harness.repeats.digest import Digest
from harness.report.comparison import (
    comparison_html,
    comparison_json,
    comparison_junit,
    comparison_md,
    comparison_text,
)
from tests.fake_runs import figures


def noisy(dice: Random, seed: int, points: float = 0.0, slower: float = 1.0) -> Digest:
    """A run as a busy machine gives it: few broken draws, in clumps; latencies that wander."""
    broken = dice.choice((0, 0, 0, 1, 2, 5)) / 1000
    kept = 1 - broken - points / 100
    return figures(
        seed,
        drill__guarantee=kept,
        drill__guarantee_money=kept + dice.gauss(0, 0.001),
        drill__access=kept,
        baseline__p50=40 * slower * dice.lognormvariate(0, 0.08),
        fault__p95=180 * slower * dice.lognormvariate(0, 0.15),
        drill__recover_s=abs(dice.gauss(0.3, 0.3)),
        drill__amplification=1.02 + dice.gauss(0, 0.01),
    )


def sides(dice: Random, pairs: int = 8, points: float = 0.0, slower: float = 1.0) -> Comparison:
    base = [noisy(dice, seed) for seed in range(pairs)]
    return compare(base, [noisy(dice, seed, points, slower) for seed in range(pairs)], USUAL)


def runs(shares: Sequence[float], verdict: str = "held") -> list[Digest]:
    return [figures(n, verdict, drill__guarantee=one) for n, one in enumerate(shares)]


def test_two_arms_that_are_the_same_are_called_worse_in_at_most_one_of_twenty() -> None:
    """40 runs of one thing, dealt into pairs again and again, as the benchmark does."""
    dice = Random(11)
    pool = [noisy(dice, 1) for _ in range(40)]
    worse = decided = 0
    times = 250
    for _ in range(times):
        dealt = dice.sample(pool, 16)
        found = compare(dealt[:8], dealt[8:], USUAL)
        worse += found.word == "worse"
        decided += found.word == "same"
    assert worse / times <= 0.05
    assert decided / times > 0.9


def test_so_does_noise_that_is_far_larger_than_the_margins() -> None:
    """Every measure for itself, so that seven chances of an error add up."""
    dice = Random(15)

    def wild(seed: int) -> Digest:
        return figures(
            seed,
            drill__guarantee=0.9 + dice.gauss(0, 0.05),
            drill__guarantee_money=0.9 + dice.gauss(0, 0.05),
            drill__access=0.9 + dice.gauss(0, 0.05),
            baseline__p50=40 * dice.lognormvariate(0, 0.6),
            fault__p95=180 * dice.lognormvariate(0, 0.6),
            drill__recover_s=dice.uniform(0, 12),
            drill__amplification=1 + dice.expovariate(1),
        )

    times = 600
    worse = 0
    for _ in range(times):
        base, candidate = ([wild(n) for n in range(8)] for _ in range(2))
        worse += compare(base, candidate, USUAL).word == "worse"
    assert 0 < worse / times <= 0.05


def test_two_points_less_and_three_tenths_slower_are_called_worse() -> None:
    dice = Random(12)
    assert sum(sides(dice, points=2.0).word == "worse" for _ in range(40)) >= 38
    slower = [sides(dice, slower=1.3) for _ in range(40)]
    assert sum(found.word == "worse" for found in slower) >= 38
    assert "baseline.p50 +" in slower[0].reason


def test_better_same_and_what_can_not_be_told() -> None:
    base = [0.95, 0.951, 0.949, 0.952, 0.95, 0.948, 0.95, 0.951]
    one = USUAL[:1]
    better = compare(runs(base), runs([share + 0.03 for share in base]), one)
    assert (better.word, better.exit_code) == ("better", 0)
    assert compare(runs(base), runs(base[::-1]), one).word == "same"
    # A difference that is sure, and sure to be smaller than the margin: the same.
    assert compare(runs(base), runs([share - 0.003 for share in base]), one).word == "same"
    wild = compare(runs(base), runs([0.9, 0.99, 0.93, 0.97, 0.9, 0.99, 0.91, 0.98]), one)
    assert (wild.word, wild.exit_code) == ("cannot tell", 3)
    assert wild.more is not None
    assert f"about {wild.more} more pairs would decide" in wild.reason
    at_the_margin = [share - (0.0101 if n % 2 else 0.0091) for n, share in enumerate(base)]
    unsure = compare(runs(base), runs(at_the_margin), one)
    assert unsure.word == "cannot tell"
    assert "there is a difference, but perhaps one smaller than the margin" in unsure.reason


MIRROR = {"better": "worse", "worse": "better"}


@settings(deadline=None)
@given(st.integers(0, 999), st.floats(-3, 3), st.floats(0.7, 1.4))
def test_the_other_way_round_it_is_the_mirror(seed: int, points: float, slower: float) -> None:
    dice = Random(seed)
    base = [noisy(dice, n) for n in range(9)]
    candidate = [noisy(dice, n, points, slower) for n in range(9)]
    there, back = compare(base, candidate, USUAL), compare(candidate, base, USUAL)
    for one, other in zip(there.lines, back.lines, strict=True):
        assert MIRROR.get(one.word, one.word) == other.word
        assert one.differs == other.differs
        assert one.estimate == pytest.approx(-(other.estimate or 0))


def test_values_that_are_lower_bounds_are_counted_and_said() -> None:
    slow = [replace(one, at_least=("drill.guarantee",)) for one in runs([0.5] * 8)]
    found = compare(runs([1.0] * 8), slow, USUAL)
    assert found.lines[0].at_least == 8
    assert "8 values are lower bounds" in comparison_text(found)


def test_fewer_than_eight_pairs_tell_nothing_but_what_they_saw() -> None:
    found = compare(runs([1.0] * 7), runs([0.5] * 7), USUAL)
    assert found.word == "cannot tell"
    assert "7 of at least 8 pairs; about 1 more pair would decide" in found.reason
    assert "-50.00 points" in found.reason


def test_a_pair_with_a_run_in_doubt_is_left_out_and_too_many_decide_nothing() -> None:
    base, candidate = runs([1.0] * 11), runs([0.9] * 11)
    doubted = [*candidate[:9], *(replace(one, verdict="inconclusive") for one in candidate[9:])]
    found = compare(base, doubted, USUAL)
    assert (found.word, len(found.used), len(found.dropped)) == ("worse", 9, 2)
    assert found.dropped[0] == "seed 9, candidate: inconclusive: because"
    doubted = [*candidate[:8], *(replace(one, verdict=None) for one in candidate[8:])]
    found = compare(base, doubted, USUAL)
    assert found.word == "cannot tell"
    assert found.reason == "3 of 11 pairs have a run in doubt: what is left is no fair sample"


def test_runs_are_paired_by_seed_and_draws_and_those_alone_are_said() -> None:
    base, candidate = runs([1.0] * 9), runs([1.0] * 10)[::-1]
    other = [*candidate[:-1], replace(candidate[-1], plan="other")]
    found = compare(base, other, USUAL)
    assert (found.pairs, found.word) == (8, "same")
    assert [one.partition(":")[0] for one in found.dropped] == ["without a partner"] * 3
    again = compare([*base, *base], [*candidate, *candidate], USUAL)
    assert again.pairs == 18


def test_wrong_money_is_worse_whatever_the_figures_say() -> None:
    base, candidate = runs([1.0] * 8), runs([1.0] * 8)
    wrong = [*candidate[:7], replace(candidate[7], wrong=("one-payout",))]
    found = compare(base, wrong, USUAL)
    assert (found.word, found.exit_code) == ("worse", 1)
    assert "the money is wrong in 1 run of the candidate; first: run-7: one-payout" in found.reason
    assert compare(wrong, base, USUAL).word == "same"


def test_one_of_the_rest_can_make_it_worse_but_not_better() -> None:
    def arm(p50: float) -> list[Digest]:
        return [figures(n, drill__guarantee=1.0, baseline__p50=p50 + n / 10) for n in range(8)]

    assert compare(arm(40), arm(60), USUAL).word == "worse"
    faster = compare(arm(60), arm(40), USUAL)
    assert faster.word == "same"
    assert [line.word for line in faster.lines if line.pairs] == ["same", "better"]


def test_what_sets_the_sides_apart_is_said() -> None:
    base = runs([1.0] * 8)
    moved = [replace(one, machine={"cores": 4}, commit="def") for one in runs([1.0] * 8)]
    notes = compare([replace(one, machine={"cores": 2}) for one in base], moved, USUAL).notes
    assert notes == (
        "commit of drawproof: base abc; candidate def", "machine: cores: base 2; candidate 4",
    )  # fmt: skip


def test_expectations_that_were_not_met_alike_are_said() -> None:
    found = compare(runs([1.0] * 8), runs([1.0] * 8, "breached"), USUAL)
    assert found.word == "same"
    assert found.notes == ("runs that breached their expectations: base 0; candidate 8",)


def test_the_margin_is_the_users_and_mistakes_are_told() -> None:
    first, *rest = chosen("fault.guarantee", ("drill.recover_s=2s", "baseline.p50=20 %"))
    assert first.key == "fault.guarantee"
    assert len(rest) == 6
    base, worse = [1.0] * 8, [0.98] * 8
    assert compare(runs(base), runs(worse), chosen(None, ())).word == "worse"
    assert compare(runs(base), runs(worse), chosen(None, ("drill.guarantee=3 %",))).word == "same"
    for primary, margins, says in (
        ("fault.nonsense", (), "--primary: found 'fault.nonsense'"),
        (None, ("drill.guarantee=0 %",), "more than zero"),
        (None, ("drill.recover_s=2",), "such as 80ms"),
        (None, ("watch.access=1 %",), "one of drill.guarantee"),
    ):
        with pytest.raises(ScenarioError, match=re.escape(says)):
            chosen(primary, margins)


def test_every_form_says_the_same_and_is_escaped() -> None:
    dice = Random(13)
    found = sides(dice, points=2.0)
    evil = "<b>|x"
    found = replace(found, dropped=(evil,))
    text, page = comparison_text(found), comparison_html(found, evil)
    assert text.startswith(f"WORSE (exit 1): {found.reason}")
    assert found.reason in page.replace("&#39;", "'")
    assert evil not in page
    assert evil not in comparison_md(found, evil)
    assert 'failures="' in comparison_junit(found, evil)
    value = json.loads(comparison_json(found))
    first = value["measures"][0]
    assert first["measure"] == "drill.guarantee"
    assert sum(first["differences"]) / 8 == pytest.approx(first["difference"], abs=1e-5)
    assert [row["seed"] for row in value["runs"]] == list(range(8))
    assert comparison_json(found) == comparison_json(found)
    assert page.count("<svg") == 7


def test_an_empty_measure_is_no_data_and_not_zero() -> None:
    found = compare(runs([1.0] * 8), runs([1.0] * 8), USUAL)
    assert [line.why for line in found.lines[1:]] == ["no data"] * 6
    nothing = compare([], [], USUAL)
    assert (nothing.word, nothing.lines[0].pairs) == ("cannot tell", 0)


def worths(have: Sequence[float], lack: Sequence[float], promised: float = 1000.0) -> dict[
    str, dict[int, Digest]
]:  # fmt: skip
    return {
        "have": {
            n: figures(n, drill__broken=one, drill__promised=1000.0) for n, one in enumerate(have)
        },
        "lack": {
            n: figures(n, drill__broken=one, drill__promised=promised) for n, one in enumerate(lack)
        },
    }


def test_worth_is_what_was_lost_without_it_and_may_be_negative() -> None:
    saves = worth("x", "have", "lack", worths([0, 1, 2, 0, 1, 0], [50, 60, 55, 52, 58, 51]))
    assert saves.word == "saves"
    assert saves.saved["drill.broken"].estimate == pytest.approx(322 / 6)
    costs = worth("x", "have", "lack", worths([50, 60, 55, 52, 58, 51], [0, 1, 2, 0, 1, 0]))
    assert costs.word == "costs"
    assert costs.saved["drill.broken"].interval.high < 0
    none = worth("x", "have", "lack", worths([1, 0, 2, 1, 0, 1], [0, 1, 2, 0, 1, 1]))
    assert none.word == "no difference shown"
    few = worth("x", "have", "lack", worths([0, 1, 2], [50, 60, 55]))
    assert few.word == "too few rounds"


def test_worth_can_not_be_told_when_other_draws_were_promised() -> None:
    arms = worths([0] * 6, [50] * 6, promised=989.0)
    assert worth("x", "have", "lack", arms).word == "cannot tell"
    assert "1000 and 989" in worth("x", "have", "lack", arms).why
    assert worth("x", "have", "lack", worths([0] * 6, [50] * 6, promised=990.0)).word == "saves"
    doubted = worths([0] * 6, [50] * 6)
    for n in range(4):
        doubted["lack"][n] = replace(doubted["lack"][n], verdict="inconclusive")
    found = worth("x", "have", "lack", doubted)
    assert found.word == "cannot tell"
    assert len(found.dropped) == 4
