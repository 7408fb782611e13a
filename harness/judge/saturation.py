"""Where a draw's time goes, hop by hop, and which hop fills up first. Pure.

A hop's *own* time is what its replicas took for a call, less the time in which a call of theirs for
the same draw was out. Waiting for a slot is own time, and told apart as `queue`. The database has
no record of its own: its time is the ledger's calls to it, with the wait for a connection.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_MS
from harness.evidence.rows import Call
from harness.judge.names import role

# A hop is full once a draw spends twice as long in it as at the lowest rate, and MORE_MS besides:
# a few microseconds that double are nobody's limit.
TIMES, MORE_MS = 2.0, 2.0
UNRECORDED = ("database",)
# Who waits for whom: the later one is deeper, and when several fill up at one rate it is the cause.
DEPTH = ("gateway", "risk", "compliance", "ledger", "bank", "database")


@dataclass(frozen=True, slots=True)
class Own:
    """Means over draws, ms: all of a hop's own time, and how much of it was waiting for a slot."""

    ms: float
    queue_ms: float


def own_times(calls: Iterable[Call], keys: frozenset[str]) -> dict[str, Own]:
    """By hop, for the draws with these keys. Calls that never ended are left out."""
    out: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    served: list[Call] = []
    total_ns: dict[str, int] = defaultdict(int)
    queue_ns: dict[str, int] = defaultdict(int)
    for call in calls:
        if call.draw_key not in keys or call.done_ns is None:
            continue
        if call.side == "server":
            served.append(call)
            continue
        out[call.client, call.draw_key].append((call.start_ns, call.done_ns))
        hop = call.edge.partition("->")[2]
        if hop in UNRECORDED:
            total_ns[hop] += call.done_ns - call.start_ns
    for call in served:
        end_ns = call.done_ns or call.start_ns
        away_ns = covered_ns(out[call.server, call.draw_key], call.start_ns, end_ns)
        hop = role(call.server)
        total_ns[hop] += end_ns - call.start_ns - away_ns
        queue_ns[hop] += call.queue_ns
    draws = max(len(keys), 1)
    return {
        hop: Own(spent / draws / NS_PER_MS, queue_ns[hop] / draws / NS_PER_MS)
        for hop, spent in total_ns.items()
    }


def covered_ns(spans: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> int:
    """How much of [start, end] lies in at least one of the spans."""
    covered, upto = 0, start_ns
    for begin, end in sorted(spans):
        from_ns, to_ns = max(begin, upto), min(end, end_ns)
        if to_ns > from_ns:
            covered += to_ns - from_ns
            upto = to_ns
    return covered


def first_to_saturate(
    points: Sequence[tuple[float, Mapping[str, Own]]],
) -> tuple[str, float] | None:
    """(hop, rate): who is full at the lowest rate, the deepest of several; None: nobody is.

    points: (rate a second, own times), of any number of drills. What is usual is the median of the
    drills at the lowest rate.
    """
    if not points:
        return None
    ordered = sorted(points, key=lambda point: point[0])
    lowest = ordered[0][0]
    usual = {
        hop: _middle([own[hop].ms for rate, own in ordered if rate == lowest and hop in own])
        for hop in ordered[0][1]
    }
    for rate in sorted({rate for rate, _ in ordered}):
        at_rate = [own for r, own in ordered if r == rate]
        full = [
            hop
            for hop, usual_ms in usual.items()
            if _middle([own[hop].ms for own in at_rate if hop in own]) >= TIMES * usual_ms + MORE_MS
        ]
        if full:
            return max(full, key=_depth), rate
    return None


def _middle(values: list[float]) -> float:
    """The lower median; 0 of nothing."""
    return sorted(values)[(len(values) - 1) // 2] if values else 0.0


def _depth(hop: str) -> int:
    name = "bank" if hop.startswith("bank.") else hop
    return DEPTH.index(name) if name in DEPTH else -1
