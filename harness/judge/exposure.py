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
    by_key = dict(view.intents.columns("draw_key", "intent"))
    return {fault.name: _of_fault(view, fault, by_key) for fault in view.faults}


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


def _of_fault(view: RunView, fault: FaultLine, by_key: Mapping[str, int]) -> Exposure:
    window = window_ns(view, fault)
    if window is None:
        return Exposure(0, frozenset())
    if told_by_service(fault.name):
        hit = [s.subject for s in view.states if s.kind == "planted" and s.state == fault.name]
        return Exposure(len(hit), frozenset(by_key[key] for key in hit if key in by_key))
    calls, intents = 0, set()
    # The caller's side alone: the other side of the same call must not count twice.
    made = view.calls.where(side="client")
    for edge, client, server, start_ns, done_ns, key in made.columns(
        "edge", "client", "server", "start_ns", "done_ns", "draw_key"
    ):
        if touches(fault.edge_or_replica, edge, client, server) and _overlaps(
            start_ns, done_ns, window
        ):
            calls += 1
            if key in by_key:
                intents.add(by_key[key])
    for intent, kind, replica, sent_ns, done_ns in view.attempts.columns(
        "intent", "kind", "replica", "sent_ns", "done_ns"
    ):
        if (
            sent_ns is not None
            and _reached(fault.edge_or_replica, replica)
            and _overlaps(sent_ns, done_ns, window)
        ):
            calls += 1
            if kind != "repay":  # its draw had been granted by then
                intents.add(intent)
    return Exposure(calls, frozenset(intents))


def touches(faulted: str, edge: str, client: str, server: str) -> bool:
    if faulted.startswith(SITE):
        return crosses(faulted, f"{client}->{server}")
    return faulted == edge or _of(server, faulted)


def _reached(faulted: str, gateway: str) -> bool:
    """Did a borrower who asked this gateway get into the fault?"""
    if faulted.startswith(SITE):
        return crosses(faulted, f"borrower->{gateway}")
    return _of(gateway, faulted)


def _of(server: str, faulted: str) -> bool:
    """Is a server the faulted one, or a replica of the faulted service?"""
    return bool(server) and faulted in (server, server.rpartition("-")[0])


def _overlaps(start_ns: int, done_ns: int | None, window: tuple[int, int]) -> bool:
    return start_ns <= window[1] and (done_ns is None or done_ns >= window[0])
