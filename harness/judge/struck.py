"""Calls that a toxicity below 1 has met: it chooses connections, and the proxy has written down
when a request came on one that was chosen. Those calls alone such a fault is said to have touched.
"""

from bisect import bisect_right
from collections.abc import Sequence

from harness.judge.view import FaultLine, RunView

# So many calls at once on one edge, and more, are looked through for the one that a row is of.
AT_ONCE_MAX = 1000


def struck_ns(view: RunView, fault: FaultLine) -> Sequence[int] | None:
    """When requests met the fault; None: it did not choose, or nobody wrote it down."""
    rows = [one for one in view.states if one.state == fault.name]
    if not any(one.kind == "toxicity" for one in rows):
        return None
    return sorted(one.at_ns for one in rows if one.kind == "toxic")


def struck_calls(
    calls: Sequence[tuple[int, int | None, str]], met_ns: Sequence[int]
) -> Sequence[tuple[int, int | None, str]]:
    """Which calls (start_ns, done_ns, draw key) of an edge were met: of those under way when a
    request came, the one that began last, for it is sent as it begins. Each once."""
    ordered = sorted(calls, key=lambda call: call[0])
    starts = [start_ns for start_ns, _, _ in ordered]
    taken: set[int] = set()
    for at_ns in met_ns:
        last = bisect_right(starts, at_ns) - 1
        for number in range(last, max(-1, last - AT_ONCE_MAX), -1):
            done_ns = ordered[number][1]
            if done_ns is None or done_ns >= at_ns:
                # A request in two pieces is one call; the second says nothing new.
                taken.add(number)
                break
    return [ordered[number] for number in sorted(taken)]
