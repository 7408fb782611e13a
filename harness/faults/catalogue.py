"""Every fault there is, by family and kind.

The loader and the schedule know faults only through this table: a new fault is one new file and
one line here.
"""

from collections.abc import Mapping

from harness.faults import (
    business,
    database,
    database_sessions,
    deploy,
    inside,
    migration,
    network,
    partners,
    process,
    restarts,
    rule_dates,
    service_kinds,
    service_shut,
    service_wide,
    site,
    toolkit,
)
from harness.faults.fault import Fault
from harness.faults.kind import FaultKind, Value
from harness.scenario.model import FaultSpec

CATALOGUE: Mapping[tuple[str, str], FaultKind] = {
    **network.KINDS,
    **process.KINDS,
    **restarts.KINDS,
    **inside.KINDS,
    **database.KINDS,
    **service_kinds.KINDS,
    **service_wide.KINDS,
    **service_shut.KINDS,
    **deploy.KINDS,
    **migration.KINDS,
    **database_sessions.KINDS,
    **business.KINDS,
    **rule_dates.KINDS,
    **partners.KINDS,
    **site.KINDS,
    **toolkit.KINDS,
}


def build_fault(spec: FaultSpec) -> Fault:
    """The fault of a checked spec. Raises ScenarioError for parameters that don't go together."""
    return CATALOGUE[spec.family, spec.kind].build(spec)


def fault_name(family: str, kind: str, params: Mapping[str, Value]) -> str:
    """`network: latency gateway->bank.own`."""
    where = params.get("edge") or params.get("target") or ""
    return f"{family}: {kind} {where}".strip()


def kind_of(name: str) -> FaultKind | None:
    """The kind of the fault of this name; None for one of a catalogue that we don't know."""
    family, _, rest = name.partition(": ")
    return CATALOGUE.get((family, rest.partition(" ")[0]))


def told_by_service(name: str) -> bool:
    """Does the service write down which calls the fault of this name has hit?"""
    known = kind_of(name)
    return known is not None and known.told_by_service
