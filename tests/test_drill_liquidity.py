"""Short drills of liquidity: the money is the same in both arms, one protection of it is not."""

from pathlib import Path

import pytest

from harness.evidence.rows import Tier
from harness.evidence.tables import read_rows
from tests.drills import ROOT, Ran, drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(240)]
LIQUIDITY = ROOT / "scenarios" / "liquidity"
SHORT = (
    "phases.warmup=2s", "phases.baseline=5s", "phases.fault=8s", "phases.watch=5s",
    'expect.baseline=["guarantee >= 98 %"]',
)  # fmt: skip
CUTS = (
    "faults.0.at=fault+0.5s", "faults.0.for=2s", "faults.1.at=fault+3s", "faults.1.for=4s",
)  # fmt: skip


def ran(folder: Path, name: str, *changes: str) -> Ran:
    settings = [word for value in (*SHORT, *changes) for word in ("--set", value)]
    found = drill(folder, str(LIQUIDITY / f"{name}.yaml"), *settings)
    assert {row["verdict"] for row in found.verdict["audit"]} == {"held"}, found.out
    return found


def breached(found: Ran) -> set[str]:
    lines = found.verdict["expectations"]
    return {f"{one['phase']}: {one['measure']}" for one in lines if one["verdict"] == "breached"}


def test_a_partner_at_its_limit_is_passed_over_and_the_limit_is_dated(tmp_path: Path) -> None:
    found = ran(tmp_path, "quarter-end-dry", *CUTS)
    assert not breached(found), found.out
    assert found.run is not None
    rows = [Tier(*row) for row in read_rows(found.run, "tiers")[0]]
    cut = [row.hour_limit_fen for row in rows if row.tier == "partner-a"]
    assert len(cut) == 5  # as agreed; a quarter, back; nothing, back
    assert 0 in cut


def test_without_fall_through_money_lies_idle_beside_refusals(tmp_path: Path) -> None:
    off = "lender.protections={tier_fallthrough: off}"
    found = ran(tmp_path, "quarter-end-dry", *CUTS, off)
    assert breached(found) == {"fault: guarantee", "drill: stranded"}
    guarantee = found.verdict["guarantee"]
    assert guarantee["by_cause"]["liquidity"] == guarantee["broken"] > 20
    assert guarantee["avoidable"] == guarantee["broken"]


def test_a_partner_that_walks_away_is_replaced_and_its_reservations_too(tmp_path: Path) -> None:
    found = ran(tmp_path, "partner-walks")
    assert not breached(found), found.out
    assert found.run is not None
    tries = read_rows(found.run, "tries")[0]
    assert any(row[2] == "partner-a" and row[7] == "voided" for row in tries)
