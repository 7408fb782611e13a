"""How long the lender acknowledged with one copy of its books, from its own dated states.

It says `degraded` before commits stop waiting for a standby, `in_sync` once a standby has all that
was committed in between, and `fenced` when the primary that acknowledged is dead. In between a
power cut could have taken what borrowers had been told; a process kill, which is what drills do,
takes nothing that the disk had been given.
"""

from collections.abc import Iterable

from harness.clock import NS_PER_S
from harness.evidence.rows import State

BEGINS = (("standby", "degraded"),)
ENDS = (("standby", "in_sync"), ("primary", "fenced"))


def exposed_s(states: Iterable[State], from_ns: int, to_ns: int) -> float | None:
    """Seconds within [from, to]; None when nothing is known of the databases."""
    rows = sorted((one for one in states if one.kind == "database"), key=lambda one: one.at_ns)
    if not rows:
        return None
    total_ns, since_ns = 0, None
    for one in rows:
        change = (one.subject, one.state.partition(" ")[0])
        if change in BEGINS and since_ns is None:
            since_ns = one.at_ns
        elif change in ENDS and since_ns is not None:
            total_ns += _within(since_ns, one.at_ns, from_ns, to_ns)
            since_ns = None
    if since_ns is not None:
        total_ns += _within(since_ns, to_ns, from_ns, to_ns)
    return total_ns / NS_PER_S


def _within(begin_ns: int, end_ns: int, from_ns: int, to_ns: int) -> int:
    return max(0, min(end_ns, to_ns) - max(begin_ns, from_ns))
