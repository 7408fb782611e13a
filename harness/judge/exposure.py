"""What each fault touched: calls in flight on, or refused by, the faulted edge or replica between
its first and its last sighting; and the intents they belonged to.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
    if fault.name.startswith("service:"):
        # The service wrote down whom it hit: of a share, or of one operation, nobody else can know.
        hit = [s.subject for s in view.states if s.kind == "planted" and s.state == fault.name]
        return Exposure(len(hit), frozenset(by_key[key] for key in hit if key in by_key))
    calls, intents = 0, set()
    # The caller's side alone: the other side of the same call must not count twice.
    made = view.calls.where(side="client")
    for edge, server, start_ns, done_ns, key in made.columns(
        "edge", "server", "start_ns", "done_ns", "draw_key"
    ):
        if fault.edge_or_replica in (edge, server) and _overlaps(start_ns, done_ns, window):
            calls += 1
            if key in by_key:
                intents.add(by_key[key])
    asked = view.attempts.where(replica=fault.edge_or_replica)
    for intent, kind, sent_ns, done_ns in asked.columns("intent", "kind", "sent_ns", "done_ns"):
        if sent_ns is not None and _overlaps(sent_ns, done_ns, window):
            calls += 1
            if kind != "repay":  # its draw had been granted by then
                intents.add(intent)
    return Exposure(calls, frozenset(intents))


def _overlaps(start_ns: int, done_ns: int | None, window: tuple[int, int]) -> bool:
    return start_ns <= window[1] and (done_ns is None or done_ns >= window[0])
