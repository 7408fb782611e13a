"""What is believed of a lender's word on when a tier could not be used: no more than the law and
the plan's faults made of it.

Nobody strands the money of a tier that can't be used, and who refuses for want of it tells the
truth: a lender that wrote itself an outage would be excused by it. When exactly one began and ended
is the lender's to say, within what the nemesis' record leaves open.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.evidence.rows import Tier
from harness.judge.law import BOOK_NS, EVER_NS
from harness.judge.view import FaultLine
from harness.scenario.law import DATE_BEGINS, barred_tiers
from harness.scenario.model import FaultSpec, LenderSpec, Scenario

# Whose target is a tier, or the bank of one.
SHUT = (("business", "tier_out"), ("business", "partner_walks"), ("business", "blackout"))

Span = tuple[int, int]


def borne_out(
    rows: Sequence[Tier], scenario: Scenario, faults: Iterable[FaultLine]
) -> tuple[Tier, ...]:
    """Rows of `tiers`: those of the plan and of limits as they are, then the outages that may have
    been, as far as they may."""
    plain = [row for row in rows if row.available is None]
    possible = _possible(scenario, faults)
    return (*plain, *_cut([row for row in rows if row.available is not None], possible))


def _cut(rows: Sequence[Tier], possible: Mapping[str, Sequence[Span]]) -> Iterator[Tier]:
    for tier in dict.fromkeys(row.tier for row in rows):
        mine = [row for row in rows if row.tier == tier]
        for out_ns, back_ns in _outages(mine):
            for from_ns, to_ns in possible.get(tier, ()):
                low_ns, high_ns = max(out_ns, from_ns), min(back_ns, to_ns)
                if low_ns < high_ns:
                    yield mine[0]._replace(from_ns=low_ns, available=False)
                    yield mine[0]._replace(from_ns=high_ns, available=True)


def _outages(rows: Iterable[Tier]) -> Iterator[Span]:
    """From when to when one tier was out; of outages that overlap the last end is the end."""
    outages = since_ns = 0
    for at_ns, step in sorted((row.from_ns, -1 if row.available else 1) for row in rows):
        if not outages and step > 0:
            since_ns = at_ns
        if outages == 1 and step < 0:
            yield since_ns, at_ns
        outages = max(0, outages + step)
    if outages:
        yield since_ns, EVER_NS


def _possible(scenario: Scenario, faults: Iterable[FaultLine]) -> Mapping[str, Sequence[Span]]:
    """By tier: when it may have been out. A fault that nobody has a record of may be any time."""
    found: dict[str, list[Span]] = defaultdict(list)
    lines = {line.name: line for line in faults}
    law = scenario.lender.law
    for rule in filter(law.begun, law.rules):
        for tier in barred_tiers(rule, _own_bp(scenario.lender)):
            found[tier].append((-EVER_NS, EVER_NS))
    for fault in scenario.faults:
        line = lines.get(fault.name)
        from_ns = -EVER_NS if line is None else line.planned_ns - BOOK_NS
        to_ns = EVER_NS if line is None or not line.healed_ns else line.healed_ns + BOOK_NS
        for tier in _shut_by(fault, scenario.lender):
            found[tier].append((from_ns, to_ns))
    return found


def _shut_by(fault: FaultSpec, lender: LenderSpec) -> Iterator[str]:
    target = str(dict(fault.params).get("target"))
    if (fault.family, fault.kind) in SHUT:
        yield target.removeprefix("bank.")
    if (fault.family, fault.kind) == DATE_BEGINS:
        for rule in lender.law.rules:
            if rule.effective_from == target:
                yield from barred_tiers(rule, _own_bp(lender))


def _own_bp(lender: LenderSpec) -> Mapping[str, int]:
    joint = dict(lender.joint_own)
    return {tier: round(joint.get(tier, 0.0) * 10_000) for tier, _ in lender.tier_shares}
