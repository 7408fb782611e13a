"""Edges of one replica beside those of its whole role, in a real drill."""

from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.evidence.store import RunDir
from harness.judge.load_view import load_view
from tests.drills import SMOKE, drill, short

LATE_S = 0.4
FAULTS = (
    'faults=[{network: latency, edge: "gateway->bank.own", latency: 400ms, at: fault+1s, for: 3s},'
    ' {network: latency, edge: "gateway-1->risk-1", latency: 400ms, at: fault+1s, for: 3s},'
    " {network: slow_close, edge: 'gateway-2->bank.own', delay: 1s, at: fault+4500ms, for: 1s}]"
)


@pytest.mark.drill
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_an_edge_of_one_replica_leads_through_that_of_its_role(tmp_path: Path) -> None:
    """A fault on all gateways' way to a bank hits the one too whose own way is proxied as well."""
    ran = drill(tmp_path / "out", str(SMOKE), *short(FAULTS))
    assert ran.run is not None, ran.err
    view = load_view(RunDir(ran.run))
    whole, single = view.faults[0], view.faults[1]
    assert whole.observed_ns is not None, ran.out
    assert single.observed_ns is not None, ran.out
    assert whole.last_observed_ns is not None
    made = view.calls.where(side="client", client="gateway-2", server="bank.own")
    meanwhile = [
        (done_ns - start_ns) / NS_PER_S
        for start_ns, done_ns in made.columns("start_ns", "done_ns")
        if done_ns is not None and whole.observed_ns <= start_ns
        if done_ns <= whole.last_observed_ns + round(0.1 * NS_PER_S)
    ]
    assert meanwhile
    assert all(took_s >= LATE_S for took_s in meanwhile)
    assert ran.verdict["faults"][1]["exposed_calls"] > 0
