"""What each fault touched: calls in flight on, or refused by, the faulted edge or replica between
its first and its last sighting; and the intents they belonged to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.faults.catalogue import told_by_service
from harness.faults.database_sessions import borrower_locked
from harness.faults.rules import purpose_barred
from harness.faults.site import SITE, crosses
from harness.judge.struck import struck_calls, struck_ns
from harness.judge.view import FaultLine, RunView

# How the supervisor's record says which version a replica was given; the usual one is 1.
VERSION = "version "
USUAL = "version 1"


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
    met_ns = struck_ns(view, fault)
    if met_ns is not None:
        return _of_the_struck(view, fault, met_ns, by_key)
    calls, intents = 0, set()
    whose = _whose(view, fault)
    given = _given(view, fault, window)
    # The caller's side alone: the other side of the same call must not count twice.
    made = view.calls.where(side="client")
    for edge, client, server, start_ns, done_ns, key in made.columns(
        "edge", "client", "server", "start_ns", "done_ns", "draw_key"
    ):
        if whose is not None and key not in whose:
            continue
        if _on(fault.edge_or_replica, edge, client, server) and any(
            _overlaps(start_ns, done_ns, one) for one in given.get(server, [window])
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
            and any(_overlaps(sent_ns, done_ns, one) for one in given.get(replica, [window]))
        ):
            calls += 1
            if kind != "repay":  # its draw had been granted by then
                intents.add(intent)
    return Exposure(calls, frozenset(intents))


def _of_the_struck(
    view: RunView, fault: FaultLine, met_ns: Sequence[int], by_key: Mapping[str, int]
) -> Exposure:
    client, _, server = fault.edge_or_replica.partition("->")
    made = view.calls.where(side="client")
    one = client.rpartition("-")[2].isdigit()  # of one replica, or of all of a role
    made = (
        made.where(client=client, server=server) if one else made.where(edge=f"{client}->{server}")
    )
    hit = struck_calls(list(made.columns("start_ns", "done_ns", "draw_key")), met_ns)
    return Exposure(len(hit), frozenset(by_key[key] for _, _, key in hit if key in by_key))


def _whose(view: RunView, fault: FaultLine) -> frozenset[str] | None:
    """The keys of those draws and repayments that a fault can touch at all; None: any."""
    borrower, purpose = borrower_locked(fault.name), purpose_barred(fault.name)
    if borrower is not None:
        draws = view.intents.where(borrower=borrower).column("draw_key")
        repayments = (one.repay_key for one in view.repay_intents if one.borrower == borrower)
        return frozenset((*draws, *repayments))
    if purpose is not None:
        return frozenset(view.intents.where(purpose=purpose).column("draw_key"))
    spec = next((one for one in view.scenario.faults if one.name == fault.name), None)
    above_fen = None if spec is None else dict(spec.params).get("above_fen")
    if above_fen is None:
        return None
    asked = view.intents.columns("draw_key", "amount_fen")
    return frozenset(key for key, amount_fen in asked if amount_fen > int(above_fen))


def _given(
    view: RunView, fault: FaultLine, window: tuple[int, int]
) -> Mapping[str, Sequence[tuple[int, int]]]:
    """When within the window each replica of a role had the version that was rolled out, by the
    lender's own record: half of a rollout does not touch the other half. Nothing of other faults,
    nor where nothing was recorded."""
    if not fault.name.startswith("deploy: "):
        return {}
    had: dict[str, list[tuple[int, int]]] = {}
    since_ns: dict[str, int] = {}
    rows = [one for one in view.states if one.kind == "deploy" and one.state.startswith(VERSION)]
    for one in sorted(rows, key=lambda one: one.at_ns):
        if not _of(one.subject, fault.edge_or_replica):
            continue
        spans = had.setdefault(one.subject, [])
        began_ns = since_ns.pop(one.subject, None)
        if began_ns is not None:
            spans += _cut(began_ns, one.at_ns, window)
        if one.state != USUAL:
            since_ns[one.subject] = one.at_ns
    for replica, began_ns in since_ns.items():
        had[replica] += _cut(began_ns, window[1], window)
    if not had:
        return {}
    # A replica without a word of it never had it.
    servers = {*view.calls.counts("server"), *view.attempts.counts("replica")}
    return {one: had.get(one, []) for one in servers if _of(one, fault.edge_or_replica)}


def _cut(from_ns: int, to_ns: int, window: tuple[int, int]) -> list[tuple[int, int]]:
    """What of a span lies in the window: one, or none."""
    low_ns, high_ns = max(from_ns, window[0]), min(to_ns, window[1])
    return [(low_ns, high_ns)] if low_ns <= high_ns else []


def _on(faulted: str, edge: str, client: str, server: str) -> bool:
    if faulted.startswith(SITE):
        return crosses(faulted, f"{client}->{server}")
    return faulted in (edge, f"{client}->{server}") or _of(server, faulted)


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
