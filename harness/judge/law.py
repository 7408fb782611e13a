"""The law as the judge reads it: which rule of the rules file bars which draw, and when.

From the file in the run directory and the moments that the scenario plans for its dates; of the
lender's own book only what borrowers were told is believed, and when a rule ended that was healed.
The same is said twice, of one intent in Python and of all in SQL; a test holds the two together.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.clock import NS_PER_S
from harness.evidence.rows import Borrower, Draw, Intent
from harness.judge.noticed import hidden_ns
from harness.judge.view import RunView
from harness.scenario.law import (
    DATE_BEGINS,
    FLAGS,
    RULE_BEGINS,
    LawSpec,
    Rule,
    barred_tiers,
    bars_draw,
    dear_groups,
    in_force_ns,
)

EVER_NS = 2**62
# An entry of the lender's book counts a little later than it was asked for.
BOOK_NS = NS_PER_S // 10


@dataclass(frozen=True, slots=True)
class Span:
    """A rule from one moment to before another, ns. tiers: those that it bars."""

    rule: Rule
    from_ns: int
    ended_ns: int
    tiers: frozenset[str]

    def at(self, at_ns: int) -> bool:
        """Does it hold at a moment?"""
        return self.from_ns <= at_ns < self.ended_ns


class Law:
    """Of one run."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self.spec: LawSpec = view.scenario.lender.law
        joint = dict(view.scenario.lender.joint_own)
        self._own_bp = {
            tier: round(joint.get(tier, 0.0) * 10_000)
            for tier, _ in view.scenario.lender.tier_shares
        }
        self.all_tiers = frozenset(self._own_bp)

    @cached_property
    def in_force(self) -> Sequence[Span]:
        """Every rule that is law at some time of the run."""
        faults = self._view.scenario.faults
        found = in_force_ns(self.spec, faults, self._view.t0_ns)
        return [
            Span(rule, -EVER_NS if from_ns is None else from_ns, self._ended_ns(rule),
                 barred_tiers(rule, self._own_bp))
            for rule, from_ns in found
        ]  # fmt: skip

    def _ended_ns(self, rule: Rule) -> int:
        """When somebody ended it again, by the lender's own book; never before the fault that let
        it begin was healed. What is law for good has no end, whatever the book says."""
        healed_ns = self._healed_ns(rule)
        ends = [p.ended_ns for p in self._view.policies if p.rule == rule.name]
        known = [one for one in ends if one is not None]
        return EVER_NS if healed_ns is None or not known else max(healed_ns, *known)

    def _healed_ns(self, rule: Rule) -> int | None:
        """From when on it may have ended; None: not in this run."""
        for_a_while = {
            fault.name
            for fault in self._view.scenario.faults
            if (fault.family, fault.kind) == DATE_BEGINS
            and fault.for_s is not None
            and dict(fault.params)["target"] == rule.effective_from
        }
        healed = [
            line.heal_began_ns or line.healed_ns
            for line in self._view.faults
            if line.name in for_a_while and not self.spec.begun(rule)
        ]
        return healed[0] if healed else None

    @cached_property
    def ordered(self) -> Sequence[Span]:
        """Rules that the plan's faults made law without a file, as far as the nemesis' record bears
        it out. The lender's book has them too, and may date them otherwise."""
        lines = {line.name: line for line in self._view.faults}
        found = []
        for fault in self._view.scenario.faults:
            line = lines.get(fault.name)
            if (fault.family, fault.kind) != RULE_BEGINS or line is None or not line.injected_ns:
                continue
            ends = [line.heal_began_ns or line.healed_ns or EVER_NS]
            if fault.for_s is not None:  # its lease may have ended it before the nemesis came
                ends.append(line.injected_ns + round(fault.for_s * NS_PER_S))
            purpose = str(dict(fault.params)["target"])
            rule = Rule(fault.name, "", "", "", "every draw", purposes=(purpose,))
            found.append(Span(rule, line.injected_ns + BOOK_NS, min(ends), frozenset()))
        return found

    @cached_property
    def told(self) -> Mapping[str, int]:
        """By rule: when all borrowers had been told of it."""
        number = {p.policy: p.rule for p in self._view.policies if p.rule is not None}
        found: dict[str, int] = {}
        for row in self._view.published:
            if row.borrower is None and row.policy in number:
                rule = str(number[row.policy])
                found[rule] = min(row.published_ns, found.get(rule, row.published_ns))
        return found

    @cached_property
    def told_as_due(self) -> Sequence[Span]:
        """Rules in force that borrowers knew of, from when both was so."""
        return [
            replace(s, from_ns=max(s.from_ns, self.told[s.rule.name]))
            for s in self._shown
            if s.rule.name in self.told
        ]

    @cached_property
    def hidden(self) -> Mapping[str, int]:
        """By rule: from when on borrowers were not shown its notice any more."""
        number = {p.policy: p.rule for p in self._view.policies if p.rule is not None}
        found = hidden_ns(self._view)
        return {str(number[one]): at_ns for one, at_ns in found.items() if one in number}

    @cached_property
    def _shown(self) -> Sequence[Span]:
        return [
            replace(s, ended_ns=min(s.ended_ns, self.hidden.get(s.rule.name, EVER_NS)))
            for s in self.in_force
        ]

    @property
    def barred_banks(self) -> frozenset[str]:
        """Banks of tiers that some rule bars at some time."""
        tiers = frozenset[str]().union(*(one.tiers for one in self.in_force))
        return frozenset(one.bank for one in self._view.tiers if one.tier in tiers)

    def told_by(self, by_ns: int) -> Sequence[Span]:
        """Those that they knew of by a moment."""
        return [
            s for s in self._shown if s.rule.name in self.told and self.told[s.rule.name] <= by_ns
        ]

    def forbids(
        self, spans: Iterable[Span], at_ns: int, intent: Intent, person: Borrower | None
    ) -> bool:
        """Is a draw barred by one of these at a moment, whichever tier pays?"""
        there = [one for one in spans if one.at(at_ns)]
        closed = frozenset[str]().union(*(one.tiers for one in there))
        if there and closed >= self.all_tiers:
            return True
        return person is not None and any(
            bars_draw(self.spec, one.rule, intent, person) for one in there
        )

    def unlawful(
        self, at_ns: int, intent: Intent, person: Borrower | None, draw: Draw | None
    ) -> bool:
        """Does a rule in force at the decision forbid it, or the tier that has paid for it?"""
        if self.forbids([*self.in_force, *self.ordered], at_ns, intent, person):
            return True
        if draw is None or draw.state != "paid" or draw.ended_ns is None:
            return False
        return any(one.at(at_ns) and draw.tier in one.tiers for one in self.in_force)

    def against(self, rule: str, intent: Intent, person: Borrower | None) -> bool:
        """Is a rule against a draw, at whatever time? One of tiers is when no tier is left."""
        spans = [one for one in self.in_force if one.rule.name == rule]
        if any(one.tiers for one in spans):
            return frozenset[str]().union(*(one.tiers for one in self.in_force)) >= self.all_tiers
        return person is not None and any(
            bars_draw(self.spec, one.rule, intent, person) for one in spans
        )

    # -- the same in SQL, of the columns of facts -------------------------------------------------

    def sql_forbids(self, spans: Sequence[Span], at: str) -> str:
        """`forbids` at the moment that the column `at` has."""
        bars = [f"({_within(one, at)} AND {_bars(self.spec, one.rule)})" for one in spans
                if not one.rule.of_tiers]  # fmt: skip
        return " OR ".join([*bars, *self._closed(spans, at)]) or "false"

    def sql_unlawful(self, at: str) -> str:
        """`unlawful`, decided at the moment that the column `at` has."""
        paid = [
            f"({_within(one, at)} AND paid_ns IS NOT NULL AND tier IN ({_words(one.tiers)}))"
            for one in self.in_force
            if one.tiers
        ]
        return " OR ".join([f"({self.sql_forbids([*self.in_force, *self.ordered], at)})", *paid])

    def _closed(self, spans: Sequence[Span], at: str) -> Sequence[str]:
        """When no tier is left."""
        moments = sorted({one.from_ns for one in spans} | {one.ended_ns for one in spans})
        found = []
        for from_ns, to_ns in itertools.pairwise(moments):
            there = [one.tiers for one in spans if one.at(from_ns)]
            if there and frozenset[str]().union(*there) >= self.all_tiers:
                found.append(f"({at} >= {from_ns} AND {at} < {to_ns})")
        return found


def _within(span: Span, at: str) -> str:
    return f"{at} >= {span.from_ns} AND {at} < {span.ended_ns}"


def _words(words: Iterable[str]) -> str:
    # Of none at all: a word that nothing is. IN (NULL) would be neither true nor false.
    return ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(words)) or "''"


def _bars(law: LawSpec, rule: Rule) -> str:
    """`bars_draw`."""
    if rule.limit == "no draw":
        return "false"
    found = ["room_fen IS NOT NULL"]  # somebody knows this borrower
    if rule.purposes:
        found.append(f"purpose IN ({_words(rule.purposes)})")
    if rule.groups:
        found.append(f'"group" IN ({_words(rule.groups)})')
    if rule.borrowers:
        found.append(f"coalesce({FLAGS[rule.borrowers]}, false)")
    if rule.limit == "draw_above":
        found.append(f"amount_fen > {rule.bound}")
    elif rule.limit == "line_above":
        found.append(f"limit_fen > {rule.bound}")
    elif rule.limit == "all_in_cost_above":
        found.append(f'"group" IN ({_words(dear_groups(law, rule))})')
    return " AND ".join(found)
