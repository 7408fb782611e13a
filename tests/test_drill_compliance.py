"""Short drills about the law: with compliance first nothing is wrongly approved, without it is."""

from pathlib import Path

import pytest

from tests.drills import ROOT, drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(240)]
COMPLIANCE = ROOT / "scenarios" / "compliance"
SHORT = (
    "phases.warmup=2s", "phases.baseline=4s", "phases.fault=8s", "phases.watch=4s",
    'expect.baseline=["guarantee >= 97 %"]',
)  # fmt: skip
SETTINGS = [word for value in SHORT for word in ("--set", value)]
OFF = ["--set", "lender.protections.compliance_first=off"]
CLOCKS = [str(COMPLIANCE / "rule-flip-clocks-differ.yaml"), "--set", "faults.0.for=7s"]


def test_one_clock_dates_a_rule_though_a_replica_is_slow(tmp_path: Path) -> None:
    ran = drill(tmp_path, *CLOCKS, *SETTINGS)
    assert ran.exit == 0, ran.out + ran.err
    assert ran.verdict["guarantee"]["wrongly_approved"] == 0
    assert ran.verdict["warnings"]["told_share"] == 1.0
    assert {row["verdict"] for row in ran.verdict["audit"]} == {"held"}


def test_each_by_its_own_clock_they_approve_what_the_law_bars(tmp_path: Path) -> None:
    ran = drill(tmp_path, *CLOCKS, *SETTINGS, *OFF)
    assert ran.exit == 1, ran.out + ran.err
    assert ran.verdict["guarantee"]["wrongly_approved"] > 5
    (rule,) = [row for row in ran.verdict["audit"] if row["verdict"] == "breached"]
    assert rule["rule"] == "nothing-wrongly-approved"


def test_a_partner_that_stops_breaks_by_compliance_until_the_rule_is_adopted(
    tmp_path: Path,
) -> None:
    walks = str(COMPLIANCE / "partner-off-the-list.yaml")
    ran = drill(tmp_path, walks, *SETTINGS, "--profile", "naive")
    assert ran.exit == 1, ran.out + ran.err
    broken_by = ran.verdict["guarantee"]["broken_by"]
    assert (broken_by[0]["cause"], broken_by[0]["hop"]) == ("compliance", "bank.partner-a")
    assert ran.verdict["guarantee"]["wrongly_approved"] == 0
