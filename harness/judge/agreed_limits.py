"""Which limits count, and from when: those that the scenario agreed, and what its own faults cut.

That a limit has changed, and to what, is known from the plan and from the nemesis' record; the
lender's books only say when exactly, within what that record leaves open. A lender that wrote
itself another limit would else keep within it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.evidence.rows import Tier
from harness.judge.view import FaultLine, RunView
from harness.scenario.model import FaultSpec

CUT = ("business", "limit_cut")
SPANS = ("hourly", "daily")
# The ledger dates by a wall clock that was compared with ours once.
CLOCK_NS = NS_PER_S // 10

# In an hour and in a day, fen; None: any amount.
Pair = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Change:
    """Other limits, from some moment of [early, late] on (late None: or later); usual_ns: from
    when, where the books do not say."""

    early_ns: int
    late_ns: int | None
    usual_ns: int
    limits: Pair

    def when_ns(self, said: Sequence[tuple[int, Pair]]) -> int:
        """As the books have it, where that can be."""
        for at_ns, limits in said:
            soon = self.late_ns is None or at_ns <= self.late_ns + CLOCK_NS
            if limits == self.limits and self.early_ns - CLOCK_NS <= at_ns and soon:
                return at_ns
        return self.usual_ns


def agreed_limits(view: RunView) -> Mapping[str, list[tuple[int, Pair]]]:
    """By tier: from when which limits count, in order of time. Of a tier's rows, which are in order
    of time, the first is the plan's, older than t = 0, and all others are the lender's."""
    rows: dict[str, list[tuple[int, Pair]]] = defaultdict(list)
    for row in view.tiers:
        if row.available is None:
            rows[row.tier].append((row.from_ns, _pair(row)))
    found = {tier: [first] for tier, (first, *_) in rows.items()}
    lines = {line.name: line for line in view.faults}
    for spec in view.scenario.faults:
        tier, line = str(dict(spec.params).get("target")), lines.get(spec.name)
        if (spec.family, spec.kind) != CUT or tier not in found or line is None:
            continue
        agreed, said = rows[tier][0][1], sorted(rows[tier][1:], key=lambda one: one[0])
        changes = _changes(spec, line, agreed)
        found[tier] += [(change.when_ns(said), change.limits) for change in changes]
    return {tier: sorted(changes, key=lambda one: one[0]) for tier, changes in found.items()}


def _changes(spec: FaultSpec, line: FaultLine, agreed: Pair) -> Iterator[Change]:
    """A cut, and its end. What the record leaves open is the lender's: the cut counts from when it
    was certain, and its end from when it may have been."""
    if line.injected_ns is None:
        return
    params = dict(spec.params)
    to = float(params["to"])
    hour_fen, day_fen = (
        int(fen * to) if fen is not None and params["limit"] == span else fen
        for span, fen in zip(SPANS, agreed, strict=True)
    )
    began_ns = line.injected_ns if line.inject_began_ns is None else line.inject_began_ns
    yield Change(began_ns, line.injected_ns, line.injected_ns, (hour_fen, day_fen))
    if spec.for_s is None:
        return
    # Its lease may have ended it before the nemesis came.
    early_ns = line.injected_ns + round(spec.for_s * NS_PER_S)
    if line.healed_ns is not None:
        heal_ns = line.healed_ns if line.heal_began_ns is None else line.heal_began_ns
        early_ns = min(early_ns, heal_ns)
    yield Change(early_ns, line.healed_ns, early_ns, agreed)


def _pair(row: Tier) -> Pair:
    return row.hour_limit_fen, row.day_limit_fen
