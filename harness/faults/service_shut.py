"""Faults that shut something off within a service: the cache of shown quotas, the way by which
policies come.

Planted there as the other conditions of a service are, and leases like them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import UNDONE, FaultKind, Kinds, service_target, wrong_together
from harness.faults.planted import Planted
from harness.faults.probes import refuses
from harness.faults.service_probes import role_of
from harness.faults.service_wide import METRICS_S, gone, metrics_of
from harness.scenario.model import FaultSpec

# Whether what is entered in the rule book comes to a replica, in its metrics.
REACHED = "rulebook_reached"
MEANWHILE_S = 0.1


def told_in_metrics(address: tuple[str, int], name: str) -> str | None:
    """A line's value as a service's metrics have it; None when it does not say."""
    return metrics_of(address).get(name)


@dataclass(frozen=True, slots=True)
class Shut(Planted):
    """`what` is shut off in a replica; while it is, the line `metric` of its metrics is `shut`, and
    what it counts in the line `still` does not grow; "" counts nothing."""

    target: str
    what: str
    metric: str
    shut: str
    for_s: float
    name: str
    still: str = ""
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = METRICS_S

    def planted(self) -> Mapping[str, object]:
        return {"kind": self.what}

    def observe(self, around: Surroundings) -> Sighting:
        at_ns = time.monotonic_ns()
        address = around.replica_address(self.target)
        if refuses(address):
            return gone(at_ns, self.target)
        first = metrics_of(address)
        told = first.get(self.metric)
        if told is None:
            return Sighting(at_ns, None, f"its metrics say nothing of {self.metric}")
        if told == self.shut and self.still:
            # Its word is not enough: nothing may be done meanwhile of what is shut off.
            time.sleep(MEANWHILE_S)
            now = metrics_of(address).get(self.still)
            if now != first.get(self.still):
                detail = f"{self.metric} is {told}, and {self.still} grew to {now}"
                return Sighting(at_ns, False if now else None, detail)
        return Sighting(at_ns, told == self.shut, f"{self.metric} is {told}")


def _cold_cache(spec: FaultSpec) -> Fault:
    target = _of(spec, "gateway")
    hits = "quota_cache_hits_total"
    return Shut(target, "cold", "quota_cache_cold", "1", spec.for_s or 0.0, spec.name, hits)


def _lost_push(spec: FaultSpec) -> Fault:
    target = _of(spec, "risk", "compliance")
    return Shut(target, "unpushed", REACHED, "0", spec.for_s or 0.0, spec.name)


def _of(spec: FaultSpec, *roles: str) -> str:
    """The target, a replica of one of these. Raises ScenarioError."""
    target = str(dict(spec.params)["target"])
    if role_of(target) not in roles:
        raise wrong_together(spec, f"target {target}", f"a replica of {' or '.join(roles)}")
    return target


KINDS: Kinds = {
    ("service", "cold_cache"): FaultKind(
        (service_target("gateway-1", "a gateway such as gateway-1"),),
        for_key="needed",
        build=_cold_cache,
        does="The gateway's cache of shown quotas is emptied and keeps nothing: every look at a "
        "quota is a reading of the ledger. When it is over the cache is empty.",
        observed="Its metrics say that the cache keeps nothing, and count no look answered by it.",
        undone=UNDONE,
        cannot="Looks that are under way together may still share one reading (`quota_cache`).",
    ),
    ("service", "lost_push"): FaultKind(
        (service_target("risk-1", "a replica of risk or compliance such as risk-1"),),
        for_key="needed",
        build=_lost_push,
        does="What is entered in the rule book does not reach the replica: it goes on by the "
        "policies and rules that it knows, which end by their own dates.",
        observed="Its metrics say that the book does not reach it.",
        undone=UNDONE,
        cannot="It says truly of which revision of the book its answers are. Ledgers and banks "
        "look at the book themselves.",
    ),
}
