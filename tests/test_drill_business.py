"""A short drill in which risk tightens: told or untold, the money is right, the cause is risk."""

from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.evidence.rows import Policy, Published
from harness.evidence.store import RunDir
from harness.evidence.tables import read_rows
from harness.judge.load_view import load_view
from harness.judge.noticed import believed
from tests.drills import ROOT, drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(240)]
TIGHTENED = ROOT / "scenarios" / "risk" / "tightened-with-notice.yaml"
SHORT = (
    "phases.warmup=2s", "phases.baseline=4s", "phases.fault=6s", "phases.watch=4s",
    "faults.0.for=4s", "faults.0.at=fault+1s",
)  # fmt: skip
SETTINGS = [word for value in SHORT for word in ("--set", value)]


def test_untold_it_breaks_the_promise_by_risk_alone(tmp_path: Path) -> None:
    more = ["--set", "faults.0.announced=off", "--set", 'expect.fault=["guarantee <= 80 %"]']
    ran = drill(tmp_path, str(TIGHTENED), *SETTINGS, *more)
    assert ran.exit == 0, ran.out + ran.err
    guarantee = ran.verdict["guarantee"]
    assert guarantee["by_cause"]["risk"] == guarantee["broken"] > 10
    assert guarantee["wrongly_approved"] == guarantee["withheld"] == 0
    assert {row["verdict"] for row in ran.verdict["audit"]} == {"held"}
    assert ran.run is not None
    policies = [Policy(*row) for row in read_rows(ran.run, "policies")[0]]
    assert {row.replica for row in policies if row.policy == 2} == {None, "risk-1", "risk-2"}


def test_told_before_it_withholds_and_breaks_nothing(tmp_path: Path) -> None:
    ran = drill(tmp_path, str(TIGHTENED), *SETTINGS)
    assert ran.exit == 0, ran.out + ran.err
    guarantee = ran.verdict["guarantee"]
    assert guarantee["withheld"] > 10
    assert guarantee["access"] < guarantee["count"]
    assert {row["verdict"] for row in ran.verdict["audit"]} == {"held"}
    # Seen from outside the notice came when the lender says; had it said otherwise, it would be the
    # same but for a look.
    assert ran.run is not None
    view = load_view(RunDir.open(ran.run))
    (notice,) = [row for row in view.published if row.kind == "notice"]
    assert notice in [Published(*row) for row in read_rows(ran.run, "published")[0]]
    first_ns = min(one.sent_ns for one in view.notice_looks if one.policy == notice.policy)
    assert abs(first_ns - notice.published_ns) < NS_PER_S
    dated_back = notice._replace(published_ns=view.t0_ns)
    (row,) = believed([dated_back], view.policies, view.notice_looks)
    assert notice.published_ns - NS_PER_S < row.published_ns < first_ns
