"""A lender whose risk replicas say nothing: what it approves, by which profile."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.faults import console
from harness.faults.service_shut import told_in_metrics
from mock_lender.resilience.profile import PROFILES
from mock_lender.rulebook import NAME, read
from tests.books import rows
from tests.lender_process import TOKEN, Lender, lender, until
from tests.surroundings import LenderSurroundings

WITHOUT = tuple(name for name in PROFILES["full"] if name != "last_verdict")
PATIENT, IN_VAIN = "1500", "700"
ARREARS = 3


@contextmanager
def silent_risk(made: Lender) -> Iterator[None]:
    pids = [made.service(name).pid for name in ("risk-1", "risk-2")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def metric(made: Lender, name: str) -> int:
    service = made.service("gateway-1")
    found = told_in_metrics((service.host, service.port), name)
    assert found is not None
    return int(found)


def test_the_last_verdict_of_risk_is_gone_by_and_told_from_when_it_is(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        until(lambda: metric(made, "last_verdict_age_ms") >= 0)
        assert made.draw("while-all-is-well")[0] == 201
        with silent_risk(made):
            said = made.draw("risk-says-nothing", borrower=11, X_Deadline_Ms=PATIENT)
            assert said[0] == 201, said
            late = made.draw("in-arrears-still", borrower=ARREARS, X_Deadline_Ms=IN_VAIN)
            assert (late[0], late[1]["hop"], late[1]["certain"]) == (503, "risk", True)
            much = made.draw(
                "too-much-for-that", borrower=12, amount_fen=400_001, X_Deadline_Ms=IN_VAIN
            )
            assert much[0] == 503
        assert metric(made, "verdicts_last_total") == 1
        draws = {row["draw_key"]: row for row in rows(made.books(), "draws")}
        assert "in-arrears-still" not in draws
        asked, last = draws["while-all-is-well"], draws["risk-says-nothing"]
        assert int(asked["risk_ns"]) <= int(asked["decided_ns"])
        assert 0 < int(last["decided_ns"]) - int(last["risk_ns"]) < 20 * 10**9
        states = (made.records / "states.gateway-1.csv").read_text()
        assert ",verdict,risk-says-nothing,risk last," in states


@pytest.mark.slow
def test_the_last_verdict_is_not_gone_by_against_a_policy_of_since(tmp_path: Path) -> None:
    """Risk falls silent, and then the book gets a maximum: the gateway has seen it."""
    with lender(tmp_path / "lender") as made:
        (made.folder / ".token").write_text(TOKEN)
        until(lambda: metric(made, "last_verdict_age_ms") >= 0)
        with silent_risk(made):
            assert made.draw("before-the-maximum", amount_fen=200, X_Deadline_Ms=PATIENT)[0] == 201
            policy = {"kind": "risk", "above_fen": 150}
            body = {"kind": "rules", "lease_s": 60.0, "entries": [policy]}
            console.take(LenderSurroundings(made), "maximum", body)
            until(lambda: read(made.records / NAME)[-1].obeyed(time.monotonic_ns()))
            above = made.draw("above-it-no-more", 11, 200, X_Deadline_Ms=IN_VAIN)
            assert (above[0], above[1]["hop"], above[1]["certain"]) == (503, "risk", True)
            assert made.draw("below-it-as-before", 12, 150, X_Deadline_Ms=PATIENT)[0] == 201


@pytest.mark.slow
@pytest.mark.parametrize(("judge_lost", "status"), [("closed", 503), ("open", 201)])
def test_without_it_the_lender_fails_closed_or_open(
    tmp_path: Path, judge_lost: str, status: int
) -> None:
    given: dict[str, Any] = {"protections": WITHOUT, "judge_lost": judge_lost}
    with lender(tmp_path / "lender", **given) as made, silent_risk(made):
        said = made.draw("risk-says-nothing", borrower=11, X_Deadline_Ms=PATIENT)
        assert said[0] == status, said
        late = made.draw("in-arrears-still", borrower=ARREARS, X_Deadline_Ms=PATIENT)
        assert late[0] == status, late
