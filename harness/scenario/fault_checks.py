"""Which faults of one drill can't be together. Pure; known before anything runs.

What is hit here: the edge or the thing a parameter names, or for a database its role.
"""

import math
from collections.abc import Sequence

from harness.faults.catalogue import CATALOGUE, build_fault
from harness.scenario.model import FaultSpec

# A killed database server: nobody knows when its lender is over it, but not sooner.
REMEDY_S = 3.0


def things(spec: FaultSpec) -> frozenset[str]:
    """What a fault hits, by name."""
    params, known = dict(spec.params), CATALOGUE[spec.family, spec.kind]
    named = {str(params[p.param]) for p in known.parameters
             if p.names not in ("", "account") and p.param in params}  # fmt: skip
    # `kill_primary` hits the primary, and what hits nothing in particular stands for itself.
    what = known.hits or spec.kind.rpartition("_")[2]
    return frozenset(named or {f"{spec.family}: {what}"})


def end_s(spec: FaultSpec) -> float:
    """When it is planned to be over; infinite for what is killed for good."""
    if spec.for_s is not None:
        return spec.at_s + spec.for_s
    for_good = CATALOGUE[spec.family, spec.kind].for_key == "optional"
    return math.inf if for_good else spec.at_s + REMEDY_S


def contradiction(made: FaultSpec, other: FaultSpec) -> tuple[str, str] | None:
    """(found, allowed) when both can't be in one drill, else None."""
    first, second = sorted((made, other), key=lambda spec: spec.at_s)
    if first.at_s < second.at_s and math.isinf(end_s(first)):
        gone = things(first) & (things(second) | _ends_of(things(second)))
        if gone:
            return (
                f"on {min(gone)}, which {first.name!r} has ended for good at {first.at_s:g} s",
                "faults on what is still there; or `for` with the first one",
            )
    together = made.at_s < end_s(other) and other.at_s < end_s(made)
    shared = _shared(things(made), things(other))
    if not together or not shared:
        return None
    if (made.family, made.kind) == (other.family, other.kind) and _same_place(made, other):
        return f"at the same time as {other.name!r}", "one of a kind at a time"
    if _replaces(made) or _replaces(other):
        # Of two, a kill: what is only frozen may come back as it was.
        healer = max((first, second), key=lambda one: (_replaces(one), one.for_s is None))
        return (
            f"at the same time as {other.name!r} on {min(shared)}",
            f"one after the other: {healer.name!r} makes it new, and undoes the other",
        )
    return None


def _shared(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """What both hit; whoever hits a service hits each of its replicas."""
    found = one & other
    for service, replicas in ((one, other), (other, one)):
        found |= {name for name in replicas if name.rpartition("-")[0] in service}
    return found


def _ends_of(edges: frozenset[str]) -> frozenset[str]:
    """Client and server of edges."""
    return frozenset(end for edge in edges if "->" in edge for end in edge.split("->"))


def _replaces(spec: FaultSpec) -> bool:
    return CATALOGUE[spec.family, spec.kind].replaces


def _same_place(one: FaultSpec, other: FaultSpec) -> bool:
    """Two of a kind on one thing at one time would be one, unless they name other operations."""
    return dict(one.params).get("operation") == dict(other.params).get("operation")


def most_at_once(specs: Sequence[FaultSpec]) -> tuple[int, float]:
    """How many distinct things are faulted at once, at most, and when, seconds from t = 0."""
    most, when_s = 0, 0.0
    for moment in specs:
        there = [spec for spec in specs if spec.at_s <= moment.at_s < end_s(spec)]
        count = len({build_fault(spec).edge_or_replica for spec in there})
        if count > most:
            most, when_s = count, moment.at_s
    return most, when_s
