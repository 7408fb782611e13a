"""Sources of funds in a scenario: what is read, what is refused, and what a plan makes of it."""

import pytest

from harness.errors import ScenarioError
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from harness.scenario.model import Scenario
from harness.scenario.terms import Amount, Calendar, TierTerms
from mock_lender.resilience.profile import Settings, protections_of
from tests.drills import SMOKE

TIERS = (
    "lender.tiers={own: {share: 40 %, balance: 50 %, parts: 3}, partner-a: 30 %, partner-b: 30 %}"
)
HOURS = "lender.calendar={hour: 4s, hours: 6}"


def loaded(*overrides: str) -> Scenario:
    return load_scenario(SMOKE, ("faults=[]", "cause=liquidity", *overrides), None).scenario


def test_a_tier_may_say_more_than_its_share() -> None:
    tiers = (
        "lender.tiers={own: {share: 40 %, balance: 50 %, parts: 3}, "
        "partner-d: {share: 60 %, balance: 700 yuan, hourly: 120 %, daily: 5000 yuan}}"
    )
    found = loaded(tiers, HOURS, "lender.forecast=90 %").lender
    assert found.tier_shares == (("own", 0.4), ("partner-d", 0.6))
    assert found.tier_terms == (
        ("own", TierTerms(balance=Amount(of_demand=0.5), parts=3)),
        (
            "partner-d",
            TierTerms(Amount(fen=70_000), Amount(of_demand=1.2), Amount(fen=500_000)),
        ),
    )
    assert found.calendar == Calendar(4.0, 6, 0.9)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lender.tiers={own: {balance: 5 %}}", "lender.tiers.own.share"),
        ("lender.tiers={own: {share: 100 %, balance: 5}}", "such as 60 %, or an amount such as"),
        ("lender.tiers={own: {share: 100 %, parts: 0}}", "lender.tiers.own.parts: found '0'"),
        ("lender.tiers={own: 50 %, partner-e: 50 %}", "partner-e"),
        ("lender.tiers={own: {share: 100 %, hourly: 5 %}}", "lender.calendar: found nothing"),
        ("lender.calendar={hour: 10ms}", "lender.calendar.hour: found '10ms'; allowed: a duration"),
        ("lender.calendar={hour: 4s, hours: 25}", "lender.calendar.hours: found '25'"),
        ("lender.forecast=0 %", "lender.forecast: found '0 %'; allowed: a share of what"),
        ("lender.joint={partner-a: 71 %}", "at least 30% of each joint loan"),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_what_is_right(override: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(override)
    assert said in str(caught.value)
    assert f"{SMOKE.name}:" in str(caught.value) or "--set" in str(caught.value)


def test_shares_of_the_demand_leave_out_what_must_be_refused() -> None:
    plan = make_plan(loaded(TIERS, "load.journey.must_refuse=20 %"))
    limits = {one.borrower: one for one in plan.population}
    lawful_fen = sum(
        one.amount_fen
        for one in plan.intents
        if one.amount_fen <= limits[one.borrower].limit_fen
        and one.purpose != "securities"
        and not limits[one.borrower].delinquent
    )
    assert plan.funding.tiers["own"].balance_fen == round(lawful_fen / 2)
    assert plan.funding.tiers["partner-a"].balance_fen >= 10 * lawful_fen


def test_the_forecast_is_the_shapes_and_no_draw_is_known_before() -> None:
    """Twice the rate from the fault on: twice as much in each of its hours."""
    steps = "load.shape={kind: steady, rate: 20/s, steps: [{at: fault+0s, rate: 40/s}]}"
    phases = "phases={warmup: 2s, baseline: 6s, fault: 8s, watch: 4s}"
    few = ("expect.baseline=[broken >= 0]", "expect.fault=[]", "expect.drill=[audit clean]")
    made = loaded(TIERS, HOURS, steps, phases, *few)
    forecast = make_plan(made).funding.forecast_fen
    assert len(forecast) == 5
    assert forecast[0] == forecast[1]
    assert forecast[2] == forecast[4] == pytest.approx(2 * forecast[0], abs=1)
    half = make_plan(loaded(TIERS, HOURS, steps, phases, *few, "lender.forecast=50 %"))
    assert half.funding.forecast_fen[0] == pytest.approx(forecast[0] / 2, abs=1)
    assert make_plan(loaded()).funding.forecast_fen == ()


def test_a_drill_about_systems_has_room_in_every_hour() -> None:
    tiers = "lender.tiers={own: {share: 50 %, hourly: 400 %}, partner-a: 50 %}"
    system = load_scenario(SMOKE, ("faults=[]", tiers, HOURS), None).scenario
    with pytest.raises(ScenarioError, match=r"lender.tiers.own.hourly: found .*10 times its part"):
        make_plan(system)


def test_only_fine_allocation_has_small_rows_whatever_the_parts() -> None:
    assert Settings.of(protections_of("full", {})).slices == 8
    assert Settings.of(protections_of("full", {"fine_allocation": False})).slices == 0
    assert not loaded("lender.profile=naive").lender.has("tier_fallthrough")
    on = "lender.protections={tier_fallthrough: on}"
    assert loaded("lender.profile=naive", on).lender.has("tier_fallthrough")


def test_a_fault_of_a_limit_needs_a_tier_that_has_one() -> None:
    fault = "faults=[{business: limit_cut, target: own, at: fault+1s, for: 5s}]"
    with pytest.raises(ScenarioError, match=r"a tier with limits .*; this lender has none"):
        loaded(fault)
    tiers = "lender.tiers={own: {share: 100 %, daily: 5000 %}}"
    found = load_scenario(SMOKE, ("cause=liquidity", HOURS, tiers, fault), None)
    assert any("own has no hourly limit" in warning for warning in found.warnings)
    walks = "faults=[{business: partner_walks, target: own, at: fault+1s}]"
    with pytest.raises(ScenarioError, match="one of partner-a"):
        loaded(walks)
