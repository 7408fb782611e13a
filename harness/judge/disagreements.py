"""Why each draw broke, checked against the faults that were seen: where the two don't go together.

Causes and hops are found without a look at the faults. Each fault says what it breaks a draw by,
and at which hops. A broken draw is accounted for by a fault of its cause and hop that was there
while the borrower waited. What none accounts for is listed: a wrong attribution, a fault that
reached further than it says, or a failure of the lender's own.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.rows import MACHINE
from harness.faults.catalogue import kind_of
from harness.faults.site import SITE
from harness.judge.ends import Ends, IntentEnd
from harness.judge.exposure import window_ns
from harness.judge.law import Law
from harness.judge.names import role
from harness.judge.view import FaultLine, RunView
from harness.scenario.law import DATE_BEGINS

SHOWN = 5
A_DATE = f"{DATE_BEGINS[0]}: {DATE_BEGINS[1]} "


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A broken draw that no fault accounts for. why: which faults were there instead."""

    draw_key: str
    cause: str
    hop: str
    why: str


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a fault breaks draws by, where (None: anywhere), and from when to when, ns."""

    name: str
    causes: tuple[str, ...]
    hops: frozenset[str] | None
    from_ns: int
    to_ns: int

    def accounts_for(self, end: IntentEnd) -> bool:
        return end.cause in self.causes and (self.hops is None or end.hop in self.hops)


def disagreements(view: RunView, ends: Sequence[IntentEnd]) -> tuple[Disagreement, ...]:
    """In the order of the intents. None in a run without faults, where nothing is to be checked;
    nor of what broke on the generator's own machine."""
    reaches = [reach for fault in view.faults if (reach := _reach(view, fault)) is not None]
    if not view.faults:
        return ()
    patience_ns = int(view.scenario.load.patience.deadline_s * NS_PER_S)
    found = []
    for end in _checked(ends):
        # What waits for a fault may wait, and hold what others need, for as long as it is patient.
        from_ns = end.intent.due_ns - patience_ns
        to_ns = end.intent.due_ns + patience_ns
        there = [one for one in reaches if one.from_ns <= to_ns and one.to_ns >= from_ns]
        if any(one.accounts_for(end) for one in there):
            continue
        if end.exposed_to:
            why = f"touched by {', '.join(end.exposed_to)} alone"
        elif there:
            why = f"touched by none of {', '.join(one.name for one in there)}"
        else:
            why = "no fault was seen then"
        found.append(Disagreement(end.intent.draw_key, str(end.cause), str(end.hop), why))
    return tuple(found)


def _checked(ends: Sequence[IntentEnd]) -> list[IntentEnd]:
    return [end for end in Ends.of(ends).broken if end.hop != MACHINE]


def _reach(view: RunView, fault: FaultLine) -> _Reach | None:
    window = window_ns(view, fault)
    if window is None:
        return None
    known = kind_of(fault.name)
    # One that was never looked at again may have been there until it was healed.
    to_ns = max(window[1], fault.healed_ns or 0)
    causes = known.causes if known is not None else ("system",)
    hops = hops_of(fault.edge_or_replica)
    if hops is not None and fault.name.startswith(A_DATE):
        # A partner that the law bars may turn away what the lender goes on to send it.
        hops |= Law(view).barred_banks
    return _Reach(fault.name, causes, hops, window[0], to_ns)


def hops_of(edge_or_replica: str) -> frozenset[str] | None:
    """The hops at which a fault of this place makes draws go wrong: whoever is called over the
    edge, or is the replica. None: it may be any, of a site, or of what we know no place of."""
    if not edge_or_replica or edge_or_replica.startswith(SITE):
        return None
    return frozenset({role(edge_or_replica.rpartition("->")[2])})


def attribution_json(view: RunView, ends: Sequence[IntentEnd]) -> dict[str, Any]:
    """The part `attribution` of verdict.json."""
    found = disagreements(view, ends)
    kinds = Counter((one.cause, one.hop, one.why) for one in found)
    first: dict[tuple[str, str, str], list[str]] = {kind: [] for kind in kinds}
    for one in found:
        keys = first[one.cause, one.hop, one.why]
        if len(keys) < SHOWN:
            keys.append(one.draw_key)
    ordered = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    return {
        "checked": len(_checked(ends)) if view.faults else 0,
        "disagreements": {
            "count": len(found),
            "kinds": [
                {
                    "cause": kind[0], "hop": kind[1], "why": kind[2], "count": kinds[kind],
                    "first": first[kind],
                }
                for kind in ordered
            ],
        },
    }  # fmt: skip


def told_of_disagreements(value: dict[str, Any]) -> list[str]:
    """A sentence on each kind, of verdict.json's `attribution`."""
    return [
        f"{kind['count']:,} of {value['checked']:,} broken draws, {kind['cause']} at "
        f"{kind['hop']}: {kind['why']} (first: {', '.join(kind['first'])})"
        for kind in value["disagreements"]["kinds"]
    ]
