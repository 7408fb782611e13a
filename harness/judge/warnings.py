"""Warnings: were borrowers told before they tried, and how long before?

By what was published, as far as looks from outside bear that out, and by draws that a policy, a
rule or a shortage said no to while it lasted.
A warning is no approval: whoever is told does not draw, or is refused with reason, and access shows
both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.clock import NS_PER_S
from harness.judge.law import Law
from harness.judge.noticed import hidden_ns
from harness.judge.scorecard import against, literals
from harness.judge.view import RunView

# Draws with what rules ask of them, by the names that law.py uses.
FACTS = """
WITH facts AS (
    SELECT i.due_ns, i.amount_fen, i.purpose, p."group", p.limit_fen, p.limit_fen AS room_fen,
        p.student, p.unverified, p.tenure_months, p.utilisation_bp, p.past_due_days, p.income_band,
        NULL::BIGINT AS available_fen
    FROM intents i LEFT JOIN {people} p USING (borrower)
)
"""
MET = """
SELECT count(*), min(due_ns), count(*) FILTER (due_ns >= $told_ns AND due_ns < $hidden_ns)
FROM facts WHERE {against}
"""
SHORT = """
SELECT count(*), min(i.due_ns), count(*) FILTER ({told}),
    arg_min(i.amount_fen, (i.due_ns, i.intent)) FROM intents i
WHERE i.intent IN (
    SELECT intent FROM attempts WHERE outcome = 'refused' AND cause = 'liquidity'
)
"""
SHORTAGE = "shortage"
NEVER_NS = 2**62


@dataclass(frozen=True, slots=True)
class Warnings:
    """by_policy: seconds of warning by what it was of, `risk 3`, `rule draw_max`, `shortage`; None
    where borrowers were never told. draws, told: how many draws it was said no to, and to how many
    of them after their borrowers had been told."""

    by_policy: Mapping[str, float | None] = field(default_factory=dict)
    draws: int = 0
    told: int = 0

    @property
    def lead_s(self) -> float | None:
        """Published → due time of the first draw that it says no to; the shortest of all policies,
        rules and shortages.

        Over those that began in the drill and that a draw met; below zero where borrowers were told
        later than that. Published is no earlier than the last look that was not shown the notice
        before one was (`notice_looks`). Null without any, and when borrowers were never told of
        one: that is in `untold`.
        """
        leads = [one for one in self.by_policy.values() if one is not None]
        return min(leads) if leads and not self.untold else None

    @property
    def untold(self) -> tuple[str, ...]:
        """Those that borrowers were never told of."""
        return tuple(name for name, one in self.by_policy.items() if one is None)

    @property
    def told_share(self) -> float | None:
        """Draws whose borrowers had been told when they fell due ÷ draws said no to.

        Over the same draws. A notice that no look was ever shown has told nobody. Null without any.
        """
        return self.told / self.draws if self.draws else None


def warnings(view: RunView) -> Warnings:
    """Nothing of policies that the lender began with: those are no news. Nor of those that cut
    limits: whom they say no to depends on what was left at each moment."""
    if {"policies", "published", "intents", "population"} & {*view.missing, *view.cut}:
        return Warnings()
    by_policy: dict[str, float | None] = {}
    draws = told = 0
    for name, met, first_ns, in_time, told_ns in _met(view):
        if not met or first_ns is None:
            continue
        draws += met
        told += in_time
        by_policy[name] = None if told_ns is None else round((first_ns - told_ns) / NS_PER_S, 3)
    return Warnings(dict(sorted(by_policy.items())), draws, told)


def _lasting_ns(told_ns: int | None, hidden_ns: int | None, first_ns: int | None) -> int | None:
    """None for a notice that had been taken away by the time of the first draw it was of."""
    gone = hidden_ns is not None and first_ns is not None and hidden_ns <= first_ns
    return None if gone else told_ns


def _met(view: RunView) -> Iterator[tuple[str, int, int | None, int, int | None]]:
    """(name, draws it said no to, when the first was due, how many had been told, told when)."""
    law, hidden = Law(view), hidden_ns(view)
    people = view.books.single("population", "borrower")
    published: dict[int, int] = {}
    for row in view.published:
        if row.borrower is None:
            published[row.policy] = min(row.published_ns, published.get(row.policy, NEVER_NS))

    def ask(no: str, told_ns: int | None, over_ns: int | None) -> tuple[int, int | None, int]:
        question = FACTS.format(people=people) + MET.format(against=no)
        at = {"told_ns": told_ns, "hidden_ns": over_ns}
        at = {name: NEVER_NS if at_ns is None else at_ns for name, at_ns in at.items()}
        found = view.books.one(question, at)
        return found[0], found[1], found[2]

    for span in law.in_force:
        if span.from_ns >= view.t0_ns:
            told_ns = law.told.get(span.rule.name)
            name = f"rule {span.rule.name}"
            over_ns = law.hidden.get(span.rule.name)
            found = ask(law.sql_forbids([span], "due_ns"), told_ns, over_ns)
            yield (name, *found, _lasting_ns(told_ns, over_ns, found[1]))
    for one in view.policies:
        begins_ns = one.in_force_ns if one.in_force_ns is not None else one.adopted_ns
        plain = one.rule is None and one.kind in ("risk", "compliance") and one.replica is None
        if not plain or begins_ns is None or begins_ns < view.t0_ns:
            continue
        about = (one.forbids, one.above_fen, one.score_below, one.stress_bp, one.keep_bp)
        ends_ns = NEVER_NS if one.ended_ns is None else one.ended_ns
        during = f"due_ns >= {begins_ns} AND due_ns < {ends_ns}"
        told_ns = published.get(one.policy)
        no = f"{against(**literals(about))} AND {during}"
        over_ns = hidden.get(one.policy)
        found = ask(no, told_ns, over_ns)
        yield (f"{one.kind} {one.policy}", *found, _lasting_ns(told_ns, over_ns, found[1]))
    yield from _shortages(view, published)


def _shortages(
    view: RunView, published: Mapping[int, int]
) -> Iterator[tuple[str, int, int | None, int, int | None]]:
    """Draws that were refused for want of money, and notices of that. Told in time: while a notice
    lasted that says so of as much."""
    hidden = hidden_ns(view)
    spans = [
        (
            published[one.policy],
            min(one.ended_ns or NEVER_NS, hidden.get(one.policy, NEVER_NS)),
            one.above_fen or 0,
        )
        for one in view.policies
        if one.kind == SHORTAGE and one.policy in published
    ]
    during = "i.due_ns >= {} AND i.due_ns < {} AND i.amount_fen > {}"
    told = " OR ".join(during.format(*span) for span in spans) or "false"
    met, first_ns, in_time, first_fen = view.books.one(SHORT.format(told=told))
    # One that was over by then, or of larger draws, was no warning of this.
    lasting = [
        from_ns
        for from_ns, to_ns, above_fen in spans
        if first_ns is None or (to_ns > first_ns and first_fen > above_fen)
    ]
    told_ns = min(lasting, default=None)
    yield SHORTAGE, met, first_ns, in_time, told_ns
