"""Every fault there is, by family and kind.

The loader and the schedule know faults only through this table: a new fault is one new file and
one line here.
"""

from collections.abc import Mapping

from harness.faults import (
    business,
    database,
    database_sessions,
    network,
    process,
    service,
    site,
    toolkit,
)
from harness.faults.fault import Fault
from harness.faults.kind import FaultKind, Value
from harness.scenario.model import FaultSpec

CATALOGUE: Mapping[tuple[str, str], FaultKind] = {
    **network.KINDS,
    **process.KINDS,
    **database.KINDS,
    **database_sessions.KINDS,
    **service.KINDS,
    **business.KINDS,
    **site.KINDS,
    **toolkit.KINDS,
}


def build_fault(spec: FaultSpec) -> Fault:
    """The fault of a checked spec."""
    return CATALOGUE[spec.family, spec.kind].build(spec)


def fault_name(family: str, kind: str, params: Mapping[str, Value]) -> str:
    """`network: latency gateway->bank.own`."""
    where = params.get("edge") or params.get("target") or ""
    return f"{family}: {kind} {where}".strip()
