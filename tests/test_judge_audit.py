"""The audit: a clean run passes; a planted defect is found by the rule that is meant."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.judge.audit import RULES, audit
from harness.judge.audit import Entry as Rule
from harness.judge.ends import Finding
from harness.judge.intents import judge_intents
from harness.judge.offences import Offences
from harness.judge.oracle import Oracle
from harness.judge.view import GROWING, SMALL, RunView
from tests.repaid_views import repaid
from tests.run_views import changed, clean, failed_over


def findings(view: RunView) -> dict[int, Finding]:
    return {f.rule: f for f in audit(view, judge_intents(view, Oracle(view)))}


def finding_of(rule: Rule, view: RunView) -> Finding:
    ends = judge_intents(view, Oracle(view)) if rule.number in (12, 13) else ()
    found = rule.look(view, ends)
    return Finding(rule.number, rule.name, "held", found.examined, len(found.rows), str(found.rows))


def test_a_clean_run_is_not_accused() -> None:
    for finding in findings(clean()).values():
        assert finding.verdict == "held", finding
        assert finding.examined > 0


def test_the_rules_of_the_design_are_all_there() -> None:
    assert [rule.number for rule in RULES] == list(range(1, 14))


def _drop_draw(view: RunView) -> RunView:
    return changed(view, draws=view.draws[1:])


def _other_amount(view: RunView) -> RunView:
    return changed(view, draws=(view.draws[0]._replace(amount_fen=1), *view.draws[1:]))


def _unasked(view: RunView) -> RunView:
    return changed(view, draws=(*view.draws, view.draws[0]._replace(draw_key="nobody")))


def _paid_twice(view: RunView) -> RunView:
    again = view.payouts[0]._replace(payout_key="key-000000.partner-a.2", bank="bank.partner-a")
    return changed(view, payouts=(*view.payouts, again))


def _over_quota(view: RunView) -> RunView:
    spoilt = tuple(
        v._replace(held_fen=2_000_000) if v.account == "borrower:1" and v.version == 1 else v
        for v in view.versions
    )
    return changed(view, versions=spoilt)


def _version_gap(view: RunView) -> RunView:
    gone = next(v for v in view.versions if v.account == "borrower:1" and v.version == 1)
    return changed(view, versions=tuple(v for v in view.versions if v != gone))


def _tier_loses_money(view: RunView) -> RunView:
    spoilt = tuple(
        v._replace(balance_fen=(v.balance_fen or 0) - 1)
        if v.account == "tier:own/0" and v.version == 3
        else v
        for v in view.versions
    )
    return changed(view, versions=spoilt)


def _unbalanced(view: RunView) -> RunView:
    first = view.postings[0]._replace(amount_fen=view.postings[0].amount_fen + 1)
    return changed(view, postings=(first, *view.postings[1:]))


def _bank_forgot(view: RunView) -> RunView:
    return changed(view, payouts=view.payouts[1:])


def _bank_paid_a_voided_try(view: RunView) -> RunView:
    return changed(view, tries=(view.tries[0]._replace(state="voided"), *view.tries[1:]))


def _held_for_ever(view: RunView) -> RunView:
    left = tuple(v for v in view.versions if not (v.account == "borrower:1" and v.version == 2))
    return changed(view, versions=left)


def _granted_then_refused(view: RunView) -> RunView:
    first = view.attempts[0]
    later = first._replace(
        kind="poll", outcome="refused", cause="risk", done_ns=(first.done_ns or 0) + 1
    )
    return changed(view, attempts=(*view.attempts, later))


def _refused_and_paid(view: RunView) -> RunView:
    spoilt = tuple(
        d._replace(state="paid") if d.draw_key == "key-000007" else d for d in view.draws
    )
    return changed(view, draws=spoilt)


def _failed_and_paid(view: RunView) -> RunView:
    first = view.attempts[0]._replace(outcome="failed", status=503)
    return changed(view, attempts=(first, *view.attempts[1:]))


def _denied_after_it_was_paid(view: RunView) -> RunView:
    granted = view.attempts[0]
    unknown = granted._replace(outcome="unknown", status=504)
    asked_ns = (granted.done_ns or 0) + 10**9
    denied = granted._replace(
        kind="poll", outcome="failed", status=503, cause="system", hop="ledger", reason="voided",
        sent_ns=asked_ns, done_ns=asked_ns + 1000,
    )  # fmt: skip
    again = granted._replace(n=2, sent_ns=asked_ns + 2000, done_ns=asked_ns + 3000)
    return changed(view, attempts=(unknown, denied, again, *view.attempts[1:]))


def _closed_and_paid(view: RunView) -> RunView:
    """A press is held up; its borrower closes the draw, is told so, and it is paid all the same."""
    granted = view.attempts[0]
    unknown = granted._replace(outcome="unknown", status=504)
    (paid,) = (p for p in view.payouts if p.draw_key == view.intents[0].draw_key)
    closed = granted._replace(
        kind="close", outcome="failed", status=200, cause="system", hop=None, reason="closed",
        sent_ns=paid.paid_ns - 2000, done_ns=paid.paid_ns - 1000,
    )  # fmt: skip
    early = unknown._replace(sent_ns=paid.paid_ns - 4000, done_ns=paid.paid_ns - 3000)
    return changed(view, attempts=(early, closed, *view.attempts[1:]))


def _blamed_on_risk(view: RunView) -> RunView:
    told = view.attempts[0]._replace(
        outcome="refused", status=403, cause="risk", hop="risk", reason="market-stress"
    )
    return changed(view, attempts=(told, *view.attempts[1:]))


def _still_paying(view: RunView) -> RunView:
    return changed(
        view,
        draws=(view.draws[0]._replace(state="paying"), *view.draws[1:]),
        tries=(view.tries[0]._replace(state="paying"), *view.tries[1:]),
    )


def _barred_and_granted(view: RunView) -> RunView:
    seventh = view.attempts[7]._replace(outcome="granted", cause=None, hop=None, reason=None)
    return changed(view, attempts=(*view.attempts[:7], seventh, *view.attempts[8:]))


@pytest.mark.parametrize(
    ("plant", "rule"),
    [
        (_drop_draw, 1), (_other_amount, 1), (_unasked, 2), (_paid_twice, 3), (_over_quota, 4),
        (_version_gap, 4), (_tier_loses_money, 5), (_unbalanced, 6), (_bank_forgot, 7),
        (_bank_paid_a_voided_try, 7), (_held_for_ever, 8), (_granted_then_refused, 9),
        (_refused_and_paid, 9), (_failed_and_paid, 9), (_denied_after_it_was_paid, 9),
        (_closed_and_paid, 9),
        (_blamed_on_risk, 11), (_still_paying, 12),
        (_barred_and_granted, 13),
    ],
)  # fmt: skip
def test_a_planted_defect_is_found(plant: Callable[[RunView], RunView], rule: int) -> None:
    finding = findings(plant(clean()))[rule]
    assert finding.verdict == "breached", finding
    assert finding.count > 0
    assert finding.first is not None
    assert finding.keys
    assert finding.first.startswith(finding.keys[0])


def whole(rule: Rule) -> RunView:
    """A run in which the rule has something to examine."""
    return failed_over() if rule.number == 10 else clean()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_nothing_examined_is_inconclusive(rule: Rule) -> None:
    # Without a change of the primary there is no rule 10 at all.
    tables = [name for name in rule.tables if name != "states"]
    nothing: dict[str, Any] = dict.fromkeys(tables, ())
    empty = changed(whole(rule), **nothing)
    assert findings(empty)[rule.number].verdict != "held"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_names_every_table_that_it_reads(rule: Rule) -> None:
    """Else it would accuse where evidence is missing."""
    view = failed_over() if rule.number == 10 else repaid()
    before = finding_of(rule, view)
    for table in {*GROWING, *SMALL, "clocks"} - set(rule.tables):
        nothing: dict[str, Any] = {table: ()}
        assert finding_of(rule, changed(view, **nothing)) == before, table


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_missing_or_cut_table_is_inconclusive(rule: Rule) -> None:
    for spoilt in (
        changed(whole(rule), missing=(rule.tables[0],)),
        changed(whole(rule), cut=(rule.tables[-1],)),
    ):
        assert findings(spoilt)[rule.number].verdict == "inconclusive"


def test_a_check_that_crashes_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> Offences:
        raise RuntimeError("boom")

    broken_rule = replace(RULES[0], look=crash)
    monkeypatch.setattr("harness.judge.audit.RULES", (broken_rule,))
    finding = findings(clean())[1]
    assert finding.verdict == "inconclusive"
    assert "boom" in str(finding.first)
