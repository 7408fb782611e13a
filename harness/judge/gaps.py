"""Where a part of the lender wrote nothing down, by its own word: evidence that is known to be
missing, and is said to be. Figures by hop and by replica are without it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.evidence.rows import State

ENDED = re.compile(r"ended ([0-9]+) rows lost")


@dataclass(frozen=True, slots=True)
class Gap:
    """to_ns, rows_lost: null for one that never wrote again (it was killed, or the run ended)."""

    replica: str
    from_ns: int
    to_ns: int | None
    rows_lost: int | None


def gaps(states: Iterable[State]) -> Sequence[Gap]:
    """In order of time."""
    found: list[Gap] = []
    open_ns: dict[str, int] = {}
    rows = [one for one in states if (one.kind, one.subject) == ("condition", "mute")]
    for one in sorted(rows, key=lambda one: one.at_ns):
        ended = ENDED.fullmatch(one.state)
        if one.state == "began":
            open_ns[one.replica] = one.at_ns
        elif ended and one.replica in open_ns:
            from_ns = open_ns.pop(one.replica)
            found.append(Gap(one.replica, from_ns, one.at_ns, int(ended[1])))
    found += [Gap(replica, from_ns, None, None) for replica, from_ns in open_ns.items()]
    return sorted(found, key=lambda gap: (gap.from_ns, gap.replica))
