"""What the rules file says no to, as notices: for a lender that tells of its rules ahead. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.evidence.rows import Borrower, Intent
from harness.load.foreseen import Notice
from harness.scenario.law import LawSpec, Rule, barred_tiers, bars_draw, begin_s
from harness.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class RulesSayNo:
    """Do any of these rules bar a draw? closed: no tier is left that may pay."""

    law: LawSpec
    rules: Sequence[Rule]
    closed: bool

    def __call__(self, intent: Intent, person: Borrower) -> bool:
        return self.closed or any(bars_draw(self.law, one, intent, person) for one in self.rules)


def law_notices(scenario: Scenario, *, told_ahead: bool) -> Iterator[Notice]:
    """Of rules that were in force before, and, if borrowers are told ahead, of those to come."""
    law = scenario.lender.law
    joint = dict(scenario.lender.joint_own)
    own_bp = {t: round(joint.get(t, 0.0) * 10_000) for t, _ in scenario.lender.tier_shares}
    lasting = [rule for rule in law.rules if law.begun(rule)]
    if lasting:
        yield Notice(0, None, law=True, bars=_no(law, lasting, lasting, own_bp))
    if not told_ahead:
        return
    lasts_s = {str(dict(one.params).get("target")): one.for_s for one in scenario.faults}
    for date, at_s in sorted(begin_s(scenario.faults).items(), key=lambda one: one[1]):
        begun = [rule for rule in law.rules if rule.effective_from == date]
        for_s = lasts_s[date]
        until_ns = None if for_s is None else round((at_s + for_s) * NS_PER_S)
        from_ns = round(at_s * NS_PER_S)
        yield Notice(from_ns, until_ns, law=True, bars=_no(law, begun, [*lasting, *begun], own_bp))
        lasting += begun if for_s is None else []


def _no(
    law: LawSpec, rules: Sequence[Rule], there: Sequence[Rule], own_bp: dict[str, int]
) -> RulesSayNo:
    shut = frozenset[str]().union(*(barred_tiers(one, own_bp) for one in there))
    return RulesSayNo(law, tuple(rules), closed=bool(shut) and shut >= set(own_bp))
