"""Rule 11: what borrowers were refused for is what was decided."""

from dataclasses import replace

import pytest

from harness.evidence.rows import Policy, State, Tier
from harness.judge.audit import audit
from harness.judge.audit_causes import cause_true
from harness.judge.ends import Finding
from harness.judge.intents import judge_intents
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from tests.run_views import OPENING_FEN, T0_NS, changed, clean

CAUSES = 11
DRAW = 20
KEY = f"key-{DRAW:06d}"
SECOND = 10**9


def rule(view: RunView) -> Finding | None:
    found = {f.rule: f for f in audit(view, judge_intents(view, Oracle(view)))}
    return found.get(CAUSES)


def told(view: RunView, cause: str | None, hop: str, reason: str, status: int = 403) -> RunView:
    """The borrower of DRAW was refused."""
    attempts = tuple(
        a._replace(outcome="refused", status=status, cause=cause, hop=hop, reason=reason)
        if a.intent == DRAW
        else a
        for a in view.attempts
    )
    return changed(view, attempts=attempts)


def said_no(view: RunView, server: str) -> RunView:
    calls = tuple(
        c._replace(result="refused") if c.draw_key == KEY and c.server == server else c
        for c in view.calls
    )
    return changed(view, calls=calls)


def tightened(view: RunView, above_fen: int, adopted_ns: int = T0_NS) -> RunView:
    policy = Policy("risk", 2, None, T0_NS, adopted_ns, "risk-1", above_fen=above_fen)
    return replace(view, policies=(*view.policies, policy))


def accused(view: RunView) -> bool:
    """Is DRAW accused, and nobody else?"""
    found = cause_true(view, ())
    assert found.examined
    assert all(KEY in text for _, text in found.rows)
    assert len(found.rows) <= 1
    return bool(found.rows)


def test_refusals_of_a_sound_lender_are_borne_out() -> None:
    found = rule(clean())
    assert found is not None
    refused = sum(attempt.outcome == "refused" for attempt in clean().attempts)
    assert (found.verdict, found.examined, found.count) == ("held", refused, 0)


def test_a_decision_needs_a_service_that_said_no_and_a_policy_that_says_so() -> None:
    view = told(clean(), "risk", "risk", "tightened")
    assert accused(view)
    assert accused(said_no(view, "risk-1"))
    assert accused(tightened(view, 1))
    assert not accused(tightened(said_no(view, "risk-1"), 1))
    assert accused(tightened(said_no(view, "risk-1"), 10**9))
    later_ns = T0_NS + 40 * SECOND
    assert accused(tightened(said_no(view, "risk-1"), 1, later_ns))
    assert accused(tightened(said_no(view, "compliance-1"), 1))


def test_borrowers_in_arrears_are_refused_by_risk() -> None:
    view = said_no(told(clean(), "risk", "risk", "delinquent"), "risk-1")
    late = tuple(b._replace(delinquent=b.borrower == DRAW + 1) for b in view.population)
    assert not accused(changed(view, population=late))


def test_a_rule_of_compliance_must_forbid_the_purpose() -> None:
    view = said_no(told(clean(), "compliance", "compliance", "purpose-barred"), "compliance-1")
    assert accused(view)
    rule_2 = Policy("compliance", 2, "education", T0_NS, T0_NS, "compliance-1")
    assert not accused(replace(view, policies=(*view.policies, rule_2)))


def test_a_barred_borrower_is_known_by_the_population() -> None:
    view = told(clean(), "compliance", "ledger", "barred")
    assert accused(view)
    barred = tuple(b._replace(barred=b.borrower == DRAW + 1) for b in view.population)
    assert not accused(changed(view, population=barred))


def test_no_money_is_true_while_no_tier_could_have_paid() -> None:
    view = told(clean(), "liquidity", "ledger", "no-money", 409)
    assert accused(view)
    out = tuple(Tier(t.tier, t.bank, 0.5, OPENING_FEN, 0, T0_NS, False) for t in view.tiers)
    assert accused(replace(view, tiers=(*view.tiers, out[0])))
    assert not accused(replace(view, tiers=(*view.tiers, *out)))
    back = tuple(one._replace(from_ns=T0_NS + SECOND // 2, available=True) for one in out)
    assert not accused(replace(view, tiers=(*view.tiers, *out, *back[:1])))
    poor = tuple(
        v._replace(balance_fen=1) if v.account.startswith("tier:") and v.version > 1 else v
        for v in view.versions
    )
    assert not accused(changed(view, versions=poor))


def test_quota_is_held_against_the_account() -> None:
    view = told(clean(), "quota", "ledger", "over-quota")
    assert accused(view)
    refused = tuple(
        d._replace(state="refused", cause="quota", hop="ledger") if d.draw_key == KEY else d
        for d in view.draws
    )
    assert accused(changed(view, draws=refused))
    small = tuple(b._replace(limit_fen=1) for b in view.population)
    none = tuple(v for v in view.versions if v.draw_key != KEY)
    assert not accused(changed(view, draws=refused, population=small, versions=none))


@pytest.mark.parametrize("cause", ["system", "weather"])
def test_what_is_no_decision_is_refused_by_nobody(cause: str) -> None:
    assert accused(told(clean(), cause, "gateway", "unreachable"))


def test_a_finding_says_which_draws_to_look_up() -> None:
    found = rule(told(clean(), "system", "gateway", "unreachable"))
    assert found is not None
    assert (found.verdict, found.count) == ("breached", 1)
    assert KEY in str(found.first)
    assert found.first == found.worst == found.last


def test_an_answer_without_a_cause_names_none() -> None:
    assert not accused(told(clean(), None, "gateway", "no"))


def test_what_was_not_written_down_accuses_nobody() -> None:
    view = tightened(told(clean(), "risk", "risk", "tightened"), 1)
    assert accused(view)
    mute = State("gateway-1", "condition", "mute", "began", T0_NS)
    assert not accused(replace(view, states=(mute,)))


def test_where_nobody_was_refused_there_is_nothing_to_examine() -> None:
    view = clean()
    granted = tuple(a for a in view.attempts if a.outcome == "granted")
    assert rule(changed(view, attempts=granted)) is None
    empty = rule(changed(view, attempts=()))
    assert empty is not None
    assert empty.verdict == "inconclusive"
