"""Who draws, how often, how much: properties of every plan, and the laws where they can be seen."""

import math
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import fmean, linear_regression, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.errors import ScenarioError
from harness.evidence.fingerprint import fingerprint
from harness.evidence.rows import Borrower, Intent
from harness.load.amounts import AMOUNT_YUAN, amount_fen
from harness.load.arrivals import Arrival
from harness.load.choice import TooFewBorrowers, Zipf, choice_of
from harness.load.enough import enough_borrowers
from harness.load.funds import TierFunds, funding
from harness.load.intents import SWEEPER_WINDOW_S, intents_due, plan_intents
from harness.load.population import GROUPS, plan_population
from harness.load.population import people as people_of
from harness.load.room import check_room, demand_fen
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from harness.scenario.model import LogNormal, PopulationSpec, Scenario
from tests.drills import SMOKE

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

SCENARIO = load_scenario(SMOKE, (), None).scenario
# Twenty times a second for a minute.
DUE_NS = range(0, 60 * NS_PER_S, NS_PER_S // 20)
AGAIN_NS = int((5 + SWEEPER_WINDOW_S) * NS_PER_S)
LAW = LogNormal(median_fen=700_00, sigma=1.0, low_fen=100_00, high_fen=5_000_00)


def scenario(seed: int = 1, borrowers: int = 3000, **population: object) -> Scenario:
    spec = PopulationSpec(**population)  # type: ignore[arg-type]  # the tests' own keywords
    load = replace(SCENARIO.load, borrowers=borrowers, population=spec)
    return replace(SCENARIO, seed=seed, load=load)


def planned(made: Scenario, due_ns: range = DUE_NS) -> tuple[Intent, ...]:
    return intents_due(made, plan_population(made), map(Arrival, due_ns))


def people(count: int) -> tuple[Borrower, ...]:
    return tuple(
        Borrower(n, "new", 10_000_00, barred=False, delinquent=False) for n in range(count)
    )


def test_without_a_word_about_the_population_the_plan_is_what_it_always_was() -> None:
    """The smoke scenario's figures must stay comparable: its borrowers, amounts and keys."""
    found = intents_due(SCENARIO, plan_population(SCENARIO), map(Arrival, DUE_NS))
    assert fingerprint(found) == "59d4eab58037fad0e9ae8d79a88aba75361130a9eec03b5666a2434823a20f84"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1.2), st.integers(2000, 6000))
def test_nobody_draws_again_before_the_first_draw_must_have_ended(
    seed: int, zipf: float, borrowers: int
) -> None:
    last: dict[int, int] = {}
    for intent in planned(scenario(seed, borrowers, zipf=zipf)):
        assert intent.due_ns - last.get(intent.borrower, -AGAIN_NS) >= AGAIN_NS
        last[intent.borrower] = intent.due_ns


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 2.5), st.integers(100, 90_000), st.integers(0, 9_000))
def test_amounts_are_whole_yuan_within_their_range(
    seed: int, sigma: float, low_yuan: int, more_yuan: int
) -> None:
    law = LogNormal((low_yuan + more_yuan // 2) * 100, sigma, low_yuan * 100,
                    (low_yuan + more_yuan) * 100)  # fmt: skip
    dice = random.Random(seed)
    for _ in range(300):
        fen = amount_fen(dice, law)
        assert fen % 100 == 0
        assert law.low_fen <= fen <= law.high_fen


def test_without_a_law_amounts_are_log_uniform() -> None:
    dice = random.Random(3)
    logs = [math.log(amount_fen(dice, None) / 100) for _ in range(20_000)]
    low, high = (math.log(yuan) for yuan in AMOUNT_YUAN)
    assert fmean(logs) == pytest.approx((low + high) / 2, abs=0.03)
    assert stdev(logs) == pytest.approx((high - low) / 12**0.5, abs=0.02)


@pytest.mark.parametrize(("median_yuan", "sigma"), [(700, 1.0), (3000, 0.5), (300, 0.2)])
def test_log_amounts_have_the_mean_and_the_deviation_that_were_asked_for(
    median_yuan: int, sigma: float
) -> None:
    law = LogNormal(median_yuan * 100, sigma, 100, 1_000_000_00)
    dice, count = random.Random(11), 40_000
    logs = [math.log(amount_fen(dice, law) / 100) for _ in range(count)]
    # Four standard errors, and what rounding to whole yuan may add.
    assert fmean(logs) == pytest.approx(math.log(median_yuan), abs=4 * sigma / count**0.5 + 1e-3)
    assert stdev(logs) == pytest.approx(sigma, rel=4 / (2 * count) ** 0.5 + 1e-3)


@pytest.mark.parametrize("exponent", [0.5, 0.8, 1.0, 1.5])
def test_the_frequency_falls_with_the_rank_as_zipf_says(exponent: float) -> None:
    law = Zipf(people(2000), random.Random(5), exponent)
    times = Counter(law.rank(delinquent=False) for _ in range(200_000))
    ranks = range(50)
    slope = linear_regression(
        [math.log(rank + 1) for rank in ranks], [math.log(times[rank]) for rank in ranks]
    ).slope
    assert slope == pytest.approx(-exponent, abs=0.06)


def test_the_law_is_kept_where_hardly_anybody_rests() -> None:
    """A draw every second, and a rest of three: the most frequent wants one in twenty."""
    law = choice_of(people(2000), random.Random(5), 0.8)
    times = Counter(
        law.take(delinquent=False, due_ns=n * NS_PER_S, again_ns=3 * NS_PER_S).borrower
        for n in range(60_000)
    )
    counts = [count for _, count in times.most_common(50)]
    slope = linear_regression(
        [math.log(rank + 1) for rank in range(50)], [math.log(count) for count in counts]
    ).slope
    assert slope == pytest.approx(-0.8, abs=0.08)


def test_a_larger_exponent_gives_fewer_people_more_draws() -> None:
    drew = [
        len({intent.borrower for intent in planned(scenario(zipf=zipf))}) for zipf in (0, 0.5, 1)
    ]
    assert drew == sorted(drew, reverse=True)
    assert drew[0] > 1.2 * drew[2]


@pytest.mark.parametrize("zipf", [0.0, 1.0])
def test_too_few_borrowers_are_said_to_be_too_few(zipf: float) -> None:
    """With a number that does, and that is not far from the smallest."""
    with pytest.raises(TooFewBorrowers) as caught:
        planned_whole(scenario(borrowers=300, zipf=zipf))
    needed = caught.value.needed
    assert needed is not None
    assert str(caught.value).startswith(f"at least {needed} borrowers")
    planned_whole(scenario(borrowers=needed, zipf=zipf))
    fewer = needed - 1 if zipf == 0 else round(needed / 1.25)
    with pytest.raises(TooFewBorrowers):
        planned_whole(scenario(borrowers=fewer, zipf=zipf))


def planned_whole(made: Scenario) -> None:
    plan_intents(made, plan_population(made))


def test_nobody_of_a_kind_is_too_few_as_well() -> None:
    """Draws by borrowers in arrears need some who are; the first of them has a high number."""
    made = replace(SCENARIO, load=replace(SCENARIO.load, borrowers=10))
    draws = [(n * NS_PER_S, n == 3) for n in range(5)]
    needed = enough_borrowers(made, draws, 2 * NS_PER_S, named=frozenset({1, 2}))
    assert needed == next(one.borrower for one in people_of(made) if one.delinquent)
    assert enough_borrowers(made, [(0, False)], 1, named=frozenset({1, 2})) == 3
    assert enough_borrowers(made, [(0, False)] * 1_000_001, 1, named=()) is None


def test_the_mend_for_too_steep_a_law_is_a_flatter_one_too(tmp_path: Path) -> None:
    """And where it is to be made: at the key, in the file."""
    path = tmp_path / "s.yaml"
    path.write_text(SMOKE.read_text().replace("borrowers: 20000", "borrowers: 300"))
    loaded = load_scenario(path, ("load.population={zipf: 1.0, limits: 9}",), None)
    line = path.read_text()[: path.read_text().index("borrowers:")].count("\n") + 1
    with pytest.raises(ScenarioError, match=r"or a smaller load\.population\.zipf") as caught:
        make_plan(loaded.scenario, loaded.where)
    assert str(caught.value).startswith(f"{path}:{line}: load.borrowers: found 300; allowed: at le")


@pytest.mark.slow
def test_no_number_is_too_few_of_when_none_would_do() -> None:
    with pytest.raises(TooFewBorrowers, match="no number will do, up to 1000000 were tried: a sma"):
        planned_whole(scenario(borrowers=300, zipf=3.0))


def test_amounts_do_not_shift_who_draws_nor_what_for() -> None:
    plain, lognormal = planned(scenario()), planned(scenario(amounts=LAW))
    assert [(i.borrower, i.purpose) for i in plain] == [(i.borrower, i.purpose) for i in lognormal]
    assert [i.amount_fen for i in plain] != [i.amount_fen for i in lognormal]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1.2))
def test_a_plan_has_ten_times_the_room_or_is_refused_with_the_mend(seed: int, zipf: float) -> None:
    made = scenario(seed, zipf=zipf, amounts=LAW)
    try:
        check_room(made, *_room(made))
    except ScenarioError as exc:
        text = str(exc)
        assert "load.population.limits: found 1, a limit of" in text
        enough = float(text.partition("allowed: at least ")[2].partition(",")[0])
        assert enough > 1
        made = scenario(seed, zipf=zipf, amounts=LAW, limits=enough)
        check_room(made, *_room(made))
    population, intents, balances = _room(made)
    limits = {b.borrower: b.limit_fen for b in population}
    wanted: Counter[int] = Counter()
    for intent in intents:
        if intent.amount_fen <= limits[intent.borrower]:
            wanted[intent.borrower] += intent.amount_fen
    assert all(10 * fen <= limits[number] for number, fen in wanted.items())
    assert min(one.balance_fen for one in balances.values()) >= 10 * sum(wanted.values())


def _room(
    made: Scenario,
) -> tuple[tuple[Borrower, ...], tuple[Intent, ...], dict[str, TierFunds]]:
    population = plan_population(made)
    intents = intents_due(made, population, map(Arrival, DUE_NS))
    return population, intents, dict(funding(made, population, intents).tiers)


def test_a_tier_without_room_is_refused_and_a_drill_about_money_is_not() -> None:
    population, intents, balances = _room(scenario())
    tight = {**balances, "own": TierFunds(1)}
    with pytest.raises(ScenarioError, match=r"lender.tiers.own: found ¥0.01; allowed: at least"):
        check_room(scenario(), population, intents, tight)
    check_room(replace(scenario(), cause="liquidity"), population, intents, tight)


def test_crowds_and_amounts_over_any_quota_are_nobodys_demand() -> None:
    intents = planned(scenario())
    one = intents[0]
    limits = {intent.borrower: 1_000_000_00 for intent in intents}
    over = one._replace(amount_fen=1_000_000_01)
    crowd = [one._replace(intent=n) for n in range(4)]
    assert demand_fen([one], limits) == {one.borrower: one.amount_fen}
    assert demand_fen([over], limits) == {}
    assert demand_fen(crowd, limits) == {}


def test_features_say_what_the_flags_and_groups_say() -> None:
    found = plan_population(scenario(borrowers=5000))
    for person in found:
        group = GROUPS[person.group]
        assert person.past_due_days is not None
        assert (person.past_due_days > 0) is person.delinquent
        for value, (low, high) in (
            (person.tenure_months, group.tenure_months),
            (person.utilisation_bp, group.utilisation_bp),
            (person.income_band, group.income_band),
        ):
            assert value is not None
            assert low <= value <= high
    assert 0.01 < fmean(person.delinquent for person in found) < 0.03
    sizes = Counter(person.group for person in found)
    for name, group in GROUPS.items():
        assert sizes[name] / len(found) == pytest.approx(group.share, abs=0.03)


def test_limits_are_a_multiple_and_features_stay() -> None:
    plain, twice = plan_population(scenario()), plan_population(scenario(limits=2.5))
    for one, other in zip(plain, twice, strict=True):
        assert other == one._replace(limit_fen=one.limit_fen * 5 // 2)
