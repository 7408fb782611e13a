"""Faults that touch only some of what passes their place: a toxicity below 1, a lock on the row of
one borrower, a rule about one purpose, a version that half of the replicas were given. Their calls
are looked at one by one.
"""

from collections.abc import Iterator, Mapping, Sequence

from harness.faults.database_sessions import borrower_locked
from harness.faults.rules import purpose_barred
from harness.judge.places import reached, replica_of, touches
from harness.judge.struck import struck_calls, struck_ns
from harness.judge.view import FaultLine, RunView

# How the supervisor's record says which version a replica was given; the usual one is 1.
VERSION = "version "
USUAL = "version 1"

Span = tuple[int, int]


def narrow(view: RunView, fault: FaultLine, window: Span) -> tuple[int, frozenset[int]] | None:
    """(calls, intents) that such a fault has touched; None: it is of no such kind, or nobody has
    written down whom it hit."""
    met_ns = struck_ns(view, fault)
    if met_ns is not None:
        client, _, server = fault.edge_or_replica.partition("->")
        one = client.rpartition("-")[2].isdigit()  # of one replica, or of all of a role
        of = {"client": client, "server": server} if one else {"edge": fault.edge_or_replica}
        made = view.calls.where(side="client", **of)
        hit = struck_calls(list(made.columns("start_ns", "done_ns", "draw_key")), met_ns)
        return len(hit), _intents_of(view, [key for _, _, key in hit])
    whose, given = _whose(view, fault), _given(view, fault, window)
    if whose is None and not given:
        return None
    keys = [
        key
        for start_ns, done_ns, server, key in _passing(view, fault)
        if _within(start_ns, done_ns, given.get(server, [window]))
    ]
    if whose is not None:
        keys = [key for key in keys if key in whose]
    asked = list(_asked(view, fault, given, window))
    drawn = frozenset(intent for intent, kind in asked if kind != "repay")
    return len(keys) + len(asked), _intents_of(view, keys) | drawn


def _passing(view: RunView, fault: FaultLine) -> Iterator[tuple[int, int | None, str, str]]:
    # The caller's side alone: the other side of the same call must not count twice.
    for edge, client, server, start_ns, done_ns, key in view.calls.where(side="client").columns(
        "edge", "client", "server", "start_ns", "done_ns", "draw_key"
    ):
        if touches(fault.edge_or_replica, edge, client, server):
            yield start_ns, done_ns, server, key


def _asked(
    view: RunView, fault: FaultLine, given: Mapping[str, Sequence[Span]], window: Span
) -> Iterator[tuple[int, str]]:
    """(intent, kind) of borrowers' own calls that got into it."""
    for intent, kind, replica, sent_ns, done_ns in view.attempts.columns(
        "intent", "kind", "replica", "sent_ns", "done_ns"
    ):
        if (
            sent_ns is not None
            and reached(fault.edge_or_replica, replica)
            and _within(sent_ns, done_ns, given.get(replica, [window]))
        ):
            yield intent, kind


def _intents_of(view: RunView, keys: Sequence[str]) -> frozenset[int]:
    return frozenset(view.intents.where(draw_key=list(set(keys))).column("intent"))


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
    params = {} if spec is None else dict(spec.params)
    above_fen = params.get("above_fen")
    if above_fen is None or params.get("cut"):
        return None
    asked = view.intents.columns("draw_key", "amount_fen")
    return frozenset(key for key, amount_fen in asked if amount_fen > int(above_fen))


def _given(view: RunView, fault: FaultLine, window: Span) -> Mapping[str, Sequence[Span]]:
    """When within the window each replica of a role had the version that was rolled out, by the
    lender's own record: half of a rollout does not touch the other half. Nothing of other faults,
    nor where nothing was recorded."""
    if not fault.name.startswith("deploy: "):
        return {}
    had: dict[str, list[Span]] = {}
    since_ns: dict[str, int] = {}
    rows = [one for one in view.states if one.kind == "deploy" and one.state.startswith(VERSION)]
    for one in sorted(rows, key=lambda one: one.at_ns):
        if not replica_of(one.subject, fault.edge_or_replica):
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
    return {one: had.get(one, []) for one in servers if replica_of(one, fault.edge_or_replica)}


def _cut(from_ns: int, to_ns: int, window: Span) -> list[Span]:
    """What of a span lies in the window: one, or none."""
    low_ns, high_ns = max(from_ns, window[0]), min(to_ns, window[1])
    return [(low_ns, high_ns)] if low_ns <= high_ns else []


def _within(start_ns: int, done_ns: int | None, spans: Sequence[Span]) -> bool:
    return any(
        start_ns <= to_ns and (done_ns is None or done_ns >= from_ns) for from_ns, to_ns in spans
    )
