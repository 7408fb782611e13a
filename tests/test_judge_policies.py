"""Risk policies replayed by the judge: what they forbid, cut and were told of, and from when."""

from dataclasses import replace
from typing import Any

import pytest

from harness.clock import NS_PER_S
from harness.evidence.rows import Policy, Published
from harness.judge.audit import audit
from harness.judge.audit_causes import cause_true
from harness.judge.intents import judge_intents
from harness.judge.oracle import ANSWER_AGE_NS, Oracle
from harness.judge.view import RunView
from harness.judge.warnings import Warnings, warnings
from tests.run_views import T0_NS, changed, clean
from tests.test_dated_rules import ruled

CLEAN = clean(200)
# Due after 10 s, of 20,000 fen, decided 2 ms later; the limit is 1,000,000.
DRAW = 100
KEY = f"key-{DRAW:06d}"


def policy(from_s: float = 9, to_s: float = 12, **says: Any) -> Policy:
    from_ns, to_ns = (T0_NS + round(at_s * NS_PER_S) for at_s in (from_s, to_s))
    return Policy("risk", 2, None, from_ns, from_ns, None, ended_ns=to_ns)._replace(**says)


def featured(view: RunView, months: int) -> RunView:
    """Everybody as good as the others: 1,500 points and 40 for each month."""
    people = [
        one._replace(tenure_months=months, utilisation_bp=10_000, past_due_days=0, income_band=1)
        for one in view.population
    ]
    return changed(view, population=people)


def ends(view: RunView) -> dict[str, set[int]]:
    """By end: the intents that were granted and ended so."""
    found: dict[str, set[int]] = {}
    for one in judge_intents(view, Oracle(view)):
        found.setdefault(one.end, set()).add(one.intent.intent)
    return found


GRANTED = {n for n in range(200) if n % 20 != 7}
MEANWHILE = {n for n in range(90, 120) if n % 20 != 7}


@pytest.mark.parametrize("months", [0, 30])
@pytest.mark.parametrize(
    ("says", "points"),
    [
        ({"above_fen": 15_000}, None),
        ({"score_below": 2_000}, 2_000),
        ({"score_below": 2_000, "above_fen": 15_000}, 2_000),
        ({"keep_bp": 100}, None),
        ({"keep_bp": 100, "score_below": 2_000}, 2_000),
        ({"score_below": 1_000, "stress_bp": 5_000}, 5_000),
    ],
    ids=["amount", "score", "both", "cut", "cut by score", "stress"],
)
def test_approved_against_a_policy_in_force_is_wrongly_approved(
    says: dict[str, int], points: int | None, months: int
) -> None:
    """1,500 or 2,700 points; a stress of one half takes 4,000 of them."""
    view = featured(ruled(policy(**says)), months)
    hit = points is None or 1_500 + 40 * months < points
    assert ends(view).get("wrongly_approved", set()) == (MEANWHILE if hit else set())
    found = {one.rule: one.verdict for one in audit(view, judge_intents(view, Oracle(view)))}
    assert found[13] == ("breached" if hit else "held")


def test_without_features_nobody_can_be_accused_by_points() -> None:
    bare = [one._replace(tenure_months=None) for one in CLEAN.population]
    view = changed(ruled(policy(score_below=9_999)), population=bare)
    assert "wrongly_approved" not in ends(view)


def test_an_old_answer_is_judged_by_what_was_in_force_then_up_to_an_age() -> None:
    """The last good verdict of before a policy is right; one that is much older is no answer."""

    def aged(age_ns: int) -> RunView:
        draws = [
            one._replace(risk_ns=(one.decided_ns or 0) - age_ns) if one.draw_key == KEY else one
            for one in CLEAN.draws
        ]
        from_s = 10 - ANSWER_AGE_NS / NS_PER_S - 1
        return changed(ruled(policy(from_s, 11, above_fen=1)), draws=draws)

    before = ends(aged(ANSWER_AGE_NS + 2 * NS_PER_S)).get("wrongly_approved", set())
    assert DRAW in before
    recent = changed(
        ruled(policy(9.5, 12, above_fen=1)),
        draws=[
            one._replace(risk_ns=T0_NS + 9 * NS_PER_S) if one.draw_key == KEY else one
            for one in CLEAN.draws
        ],
    )
    assert DRAW not in ends(recent)["wrongly_approved"]
    assert DRAW - 1 in ends(recent)["wrongly_approved"]


def test_nobodys_answer_is_judged_as_the_draw_fell_due() -> None:
    draws = [one._replace(risk_ns=None) if one.draw_key == KEY else one for one in CLEAN.draws]
    view = changed(ruled(policy(10.001, 12, above_fen=1)), draws=draws)
    assert DRAW not in ends(view)["wrongly_approved"]
    assert DRAW + 1 in ends(view)["wrongly_approved"]


def test_a_cut_that_was_told_withholds_what_it_does_not_leave() -> None:
    """Of a limit of 1,000,000 fen 2 % is left: 20,000, which draw 100 wants and 101 exceeds."""
    told = ruled(policy(keep_bp=200), told_ns=T0_NS + 9 * NS_PER_S)
    refused = changed(
        told,
        draws=[one._replace(state="refused", ended_ns=None) for one in told.draws],
        attempts=[one._replace(outcome="refused", cause="risk") for one in told.attempts],
    )
    oracle = Oracle(refused)
    first, second = CLEAN.intents[DRAW], CLEAN.intents[DRAW + 1]
    assert (oracle.promised(first), oracle.withheld(first)) == (True, False)
    assert (oracle.promised(second), oracle.withheld(second)) == (False, True)
    assert DRAW in ends(refused)["broken"]
    assert DRAW + 1 in ends(refused)["withheld"]


@pytest.mark.parametrize(("keep_bp", "accused"), [(100, False), (5_000, True)])
def test_a_refusal_by_a_cut_limit_is_borne_out_by_the_account(keep_bp: int, accused: bool) -> None:
    view = ruled(replace_adopted(policy(keep_bp=keep_bp)))
    draws = [
        one._replace(state="refused", cause="risk", hop="risk", reason="limit-cut")
        if one.draw_key == KEY else one
        for one in view.draws
    ]  # fmt: skip
    attempts = [
        one._replace(outcome="refused", status=403, cause="risk", hop="risk", reason="limit-cut")
        if one.intent == DRAW else one
        for one in view.attempts
    ]  # fmt: skip
    versions = [one for one in view.versions if one.account != f"borrower:{DRAW + 1}"]
    spoilt = changed(view, draws=draws, attempts=attempts, versions=versions)
    found = cause_true(featured(spoilt, 0), ())
    assert found.examined
    assert [KEY in text for _, text in found.rows] == [True] * accused


def replace_adopted(one: Policy) -> Policy:
    """As a replica has obeyed it."""
    return one._replace(replica="risk-1")


def test_the_tables_of_a_run_have_what_the_policy_says() -> None:
    view = replace(CLEAN, policies=(*CLEAN.policies, policy(keep_bp=5_000, stress_bp=4_000)))
    (found,) = view.books.ask("SELECT keep_bp, stress_bp FROM policies WHERE policy = 2")
    assert found == (5_000, 4_000)


def test_a_notice_of_larger_draws_has_told_no_smaller_one() -> None:
    """From draw 150 on, due after 15 s and of 25,000 fen, there was no money; 50 draws."""
    refused = [
        one._replace(outcome="refused", cause="liquidity", status=409) if one.intent >= 150 else one
        for one in CLEAN.attempts
    ]

    def warned(above_fen: int) -> Warnings:
        at_ns = T0_NS + 14 * NS_PER_S
        short = Policy("shortage", 9, None, None, at_ns, None, above_fen=above_fen)
        return warnings(
            changed(
                CLEAN,
                attempts=refused,
                policies=(*CLEAN.policies, short),
                published=(*CLEAN.published, Published(None, "notice", 9, at_ns)),
            )
        )

    assert (warned(0).lead_s, warned(0).told_share) == (1.0, 1.0)
    larger = warned(27_000)
    assert (larger.lead_s, larger.untold, larger.told_share) == (None, ("shortage",), 29 / 50)
