"""Keys of a scenario that are about risk: what they take, and what is said of what they don't."""

from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE
from tests.test_scenario_loader import problems


def test_keys_about_risk_say_what_they_allow(tmp_path: Path) -> None:
    smoke = SMOKE.read_text()
    text = smoke.replace("  profile: full\n", "  profile: full\n  judge_lost: ajar\n")
    text = text.replace(
        "bank_latency: 80ms}", "bank_latency: 80ms, quota_latency: 2min, status_latency: 2min}"
    )
    said = problems(tmp_path, text.replace("quota: 0.5", "quota: 9"))
    assert "lender.judge_lost: found 'ajar'" in said
    assert "closed, open" in said
    assert "lender.capacity.quota_latency" in said
    assert "lender.capacity.status_latency" in said
    assert "a duration up to 1min" in said
    assert "load.journey.quota" in said
    good = (
        "lender.judge_lost=open",
        "lender.capacity.quota_latency=50ms",
        "lender.capacity.status_latency=40ms",
        "load.journey.quota=2.5",
    )
    scenario = load_scenario(SMOKE, good, None).scenario
    assert scenario.lender.judge_lost == "open"
    assert scenario.lender.capacity.quota_latency_s == 0.05
    assert scenario.lender.capacity.status_latency_s == 0.04
    assert scenario.load.journey.quota_per_draw == 2.5


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("{business: tightening, cut: 100 %, at: fault}", "a share below 100 %"),
        ("{business: tightening, lead: 2min, at: fault}", "a duration up to 60s"),
        ("{business: stress, level: 0 %, at: fault}", "a share above 0 %"),
        ("{service: cold_cache, target: risk-1, at: fault, for: 2s}", "a replica of gateway"),
        ("{service: lost_push, target: ledger-1, at: fault, for: 2s}", "risk or compliance"),
    ],
)
def test_faults_about_risk_say_what_they_allow(line: str, allowed: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        make_plan(load_scenario(SMOKE, (f"faults=[{line}]",), None).scenario)
    assert allowed in str(caught.value)


def test_a_policy_is_looked_for_once_it_can_be_there() -> None:
    line = "faults=[{business: tightening, cut: 50 %, lead: 3s, at: fault+1s, for: 9s}]"
    ((fault, at_s, for_s),) = make_plan(load_scenario(SMOKE, (line,), None).scenario).faults
    assert (fault.bites_within_s, at_s, for_s) == (5.0, 16.0, 9.0)
