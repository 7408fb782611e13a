"""What each fault touched: calls in flight on, or refused by, the faulted edge or replica between
its first and its last sighting; and the intents they belonged to.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.faults.catalogue import told_by_service
from harness.faults.site import SITE, crosses
from harness.judge.view import FaultLine, RunView


@dataclass(frozen=True, slots=True)
class Exposure:
    """calls: how many; intents: which."""

    calls: int
    intents: frozenset[int]


def exposure(view: RunView) -> Mapping[str, Exposure]:
    """By the fault's name; a fault never seen has touched nothing."""
    return {fault.name: _of_fault(view, fault) for fault in view.faults}


def window_ns(view: RunView, fault: FaultLine) -> tuple[int, int] | None:
    """First to last sighting; a fault that is never healed lasts to the end of the run."""
    if fault.observed_ns is None:
        return None
    if fault.healer == "nobody":
        ends = [view.drain_end_ns, view.load_end_ns, fault.last_observed_ns, fault.observed_ns]
        return fault.observed_ns, next(at_ns for at_ns in ends if at_ns is not None)
    if fault.healer == "target" and fault.heal_observed_ns is not None:
        # It lasts until the remedy is seen, which may be before there was a second look.
        return fault.observed_ns, fault.heal_observed_ns
    return fault.observed_ns, fault.last_observed_ns or fault.observed_ns


# The caller's side alone: the other side of the same call must not count twice.
CALLS = """
SELECT edge, client, server, count(*) FROM calls
WHERE side = 'client' AND start_ns <= $to_ns AND (done_ns IS NULL OR done_ns >= $from_ns)
GROUP BY edge, client, server
"""
ATTEMPTS = """
SELECT replica, count(*) FROM attempts
WHERE sent_ns <= $to_ns AND (done_ns IS NULL OR done_ns >= $from_ns) GROUP BY replica
"""
# A repayment's draw had been granted by then.
INTENTS = """
SELECT i.intent FROM calls c JOIN intents i USING (draw_key)
WHERE c.side = 'client' AND c.start_ns <= $to_ns AND (c.done_ns IS NULL OR c.done_ns >= $from_ns)
    AND list_contains($ways::VARCHAR[], c.edge || ' ' || c.client || ' ' || c.server)
UNION
SELECT intent FROM attempts
WHERE kind <> 'repay' AND sent_ns <= $to_ns AND (done_ns IS NULL OR done_ns >= $from_ns)
    AND list_contains($gateways::VARCHAR[], replica)
"""


def _of_fault(view: RunView, fault: FaultLine) -> Exposure:
    window = window_ns(view, fault)
    if window is None:
        return Exposure(0, frozenset())
    ask = view.books.ask
    if told_by_service(fault.name):
        hit = [s.subject for s in view.states if s.kind == "planted" and s.state == fault.name]
        touched = view.intents.where(draw_key=hit).column("intent")
        return Exposure(len(hit), frozenset(touched))
    at: dict[str, object] = {"from_ns": window[0], "to_ns": window[1]}
    ways = {
        f"{edge} {client} {server}": count
        for edge, client, server, count in ask(CALLS, at)
        if touches(fault.edge_or_replica, edge, client, server)
    }
    gateways = {
        replica: count
        for replica, count in ask(ATTEMPTS, at)
        if _reached(fault.edge_or_replica, replica)
    }
    at |= {"ways": [*ways], "gateways": [*gateways]}
    calls = sum(ways.values()) + sum(gateways.values())
    return Exposure(calls, frozenset(row[0] for row in ask(INTENTS, at)))


def touches(faulted: str, edge: str, client: str, server: str) -> bool:
    if faulted.startswith(SITE):
        return crosses(faulted, f"{client}->{server}")
    return faulted == edge or _of(server, faulted)


def _reached(faulted: str, gateway: str | None) -> bool:
    """Did a borrower who asked this gateway get into the fault? Who was dropped asked none."""
    if gateway is None:
        return False
    if faulted.startswith(SITE):
        return crosses(faulted, f"borrower->{gateway}")
    return _of(gateway, faulted)


def _of(server: str, faulted: str) -> bool:
    """Is a server the faulted one, or a replica of the faulted service?"""
    return bool(server) and faulted in (server, server.rpartition("-")[0])
