"""The law of a rules file in the verdict: what it forbids when, and what borrowers knew of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.rows import Attempt, Policy, Published
from harness.judge.attribution import attribute
from harness.judge.intents import judge_intents
from harness.judge.judge import measure
from harness.judge.oracle import Oracle
from harness.judge.view import FaultLine, RunView
from harness.judge.warnings import warnings
from harness.scenario.law import LawSpec, Rule
from harness.scenario.model import FaultSpec
from tests.run_views import T0_NS, broken, changed, clean

CLEAN = clean(200)
# Draw 100 is due after 10 s: for education, of 20,000 fen, paid by `own`.
DRAW, DUE_S = 100, 10.0
NUMBER = 7


def rule(limit: str = "draw_above", bound: int = 15_000, **scope: object) -> Rule:
    return Rule("r", "says", "2025-10-01", "source", limit, bound, **scope)  # type: ignore[arg-type]


def ruled(
    one: Rule, at_s: float | None = 9.0, told_s: float | None = None, view: RunView = CLEAN
) -> RunView:
    """The run under a rule whose date begins at a moment (None: had begun), and of which all were
    told at another, or never."""
    law = LawSpec((one,), today="2025-09-30" if at_s is not None else "2025-10-01",
                  all_in_cost_bp=(("new", 2800),))  # fmt: skip
    date = FaultSpec(
        "business: rule_date 2025-10-01", "business", "rule_date", at_s or 0.0, None,
        (("partners", "off"), ("target", "2025-10-01")),
    )  # fmt: skip
    told_ns = None if told_s is None else T0_NS + round(told_s * NS_PER_S)
    lender = replace(view.scenario.lender, law=law)
    return changed(
        view,
        scenario=replace(view.scenario, lender=lender, faults=(date,) if at_s is not None else ()),
        policies=(*view.policies, Policy("compliance", NUMBER, None, 1, None, None, rule="r")),
        published=(
            *view.published,
            *(() if told_ns is None else (Published(None, "notice", NUMBER, told_ns),)),
        ),
    )


CASES = {
    "a large draw": (rule(), False),
    "a small draw": (rule(bound=20_000), True),
    "an old line": (rule("line_above", 900_000), False),
    "a line within the cap": (rule("line_above", 1_000_000), True),
    "a dear draw": (rule("all_in_cost_above", 2400), False),
    "a cheap draw": (rule("all_in_cost_above", 2800), True),
    "its purpose": (rule("every draw", purposes=("education",)), False),
    "another purpose": (rule("every draw", purposes=("medical",)), True),
    "its group": (rule("every draw", groups=("new",)), False),
    "students": (rule("every draw", borrowers="students"), True),
    "no draw at all": (rule("no draw"), True),
    "its tier": (rule("every draw", tiers=("own",)), False),
    "another tier": (rule("every draw", tiers=("partner-a",)), True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_in_force_forbids_what_is_beyond_it(name: str) -> None:
    one, lawful = CASES[name]
    intent = CLEAN.intents[DRAW]
    assert Oracle(ruled(one)).lawful(intent) is lawful
    assert Oracle(ruled(one, None)).lawful(intent) is lawful
    assert Oracle(ruled(one, 11.0)).lawful(intent)


def test_a_student_is_one_by_the_population() -> None:
    people = [one._replace(student=one.borrower == DRAW + 1) for one in CLEAN.population]
    view = ruled(CASES["students"][0], view=changed(CLEAN, population=people))
    lawful = Oracle(view).lawful
    assert (lawful(CLEAN.intents[DRAW]), lawful(CLEAN.intents[DRAW + 1])) == (False, True)


@pytest.mark.parametrize(
    ("at_s", "told_s", "promised"),
    [(9, None, True), (9, 9.5, False), (9, 10.5, True), (11, 3, True), (9, 3, False)],
    ids=["untold", "told", "told late", "not yet law", "told ahead"],
)
def test_a_promise_is_taken_back_by_a_notice_of_a_rule_in_force(
    at_s: float, told_s: float | None, promised: bool
) -> None:
    oracle = Oracle(ruled(rule(), at_s, told_s))
    assert oracle.promised(CLEAN.intents[DRAW]) is promised


def test_what_a_rule_forbids_and_is_paid_is_wrongly_approved_told_or_not() -> None:
    for told_s in (None, 1.0):
        view = ruled(rule(), 9.0, told_s)
        ends = judge_intents(view, Oracle(view))
        wrong = {end.intent.intent for end in ends if end.end == "wrongly_approved"}
        # Decided 2 ms after it was due; of every amount above 15,000 fen.
        assert wrong == {n for n in range(90, 200) if n % 20 != 7}


def for_a_while(one: Rule, for_s: float | None, healed_s: float | None, ended_s: float) -> RunView:
    """Law from 9 s on, for so long by the plan, healed by the nemesis and ended by the lender."""

    def at_ns(at_s: float) -> int:
        return T0_NS + round(at_s * NS_PER_S)

    view = ruled(one, 9.0)
    (spec,) = view.scenario.faults
    healed_ns = None if healed_s is None else at_ns(healed_s)
    line = FaultLine(
        spec.name, "gateway->compliance", "nemesis", at_ns(9), at_ns(9), at_ns(9), at_ns(9.2),
        healed_ns, healed_ns, None, at_ns(9), healed_ns,
    )  # fmt: skip
    return changed(
        view,
        scenario=replace(view.scenario, faults=(replace(spec, for_s=for_s),)),
        policies=[p._replace(ended_ns=at_ns(ended_s)) if p.rule else p for p in view.policies],
        faults=(line,),
    )


@pytest.mark.parametrize(
    ("for_s", "healed_s", "ended_s", "lawful"),
    [
        (None, None, 9.5, False),
        (1.0, None, 9.5, False),
        (1.0, 10.5, 9.5, False),
        (0.5, 9.4, 9.5, True),
        (0.5, 9.4, 10.5, False),
    ],
    ids=["for good", "not healed", "before it was healed", "healed", "obeyed for longer"],
)
def test_a_lender_does_not_say_alone_that_a_rule_is_over(
    for_s: float | None, healed_s: float | None, ended_s: float, lawful: bool
) -> None:
    view = for_a_while(rule(), for_s, healed_s, ended_s)
    assert Oracle(view).lawful(CLEAN.intents[DRAW]) is lawful
    (end,) = [e for e in judge_intents(view, Oracle(view)) if e.intent.intent == DRAW]
    assert end.lawful is lawful


def test_without_a_record_of_the_fault_nobody_is_accused_by_its_dates() -> None:
    """Nobody has written down that the rule was over before the draws of more than 20,000 fen."""
    view = for_a_while(rule(bound=20_000), 0.5, 9.4, 9.5)
    for seen, verdict in ((view, "held"), (replace(view, faults=()), "inconclusive")):
        (found,) = [one for one in measure(seen).audit if one.rule == 13]
        assert (found.verdict, found.count) == (verdict, 0)
    assert "not recorded; without it: key-000101: approved" in str(found.first)


@pytest.mark.parametrize("dated_s", [11.0, None], ids=["later", "never"])
@pytest.mark.parametrize(
    ("for_s", "healed_s", "lawful"), [(None, None, False), (2.0, 11.0, False), (0.5, 9.5, True)]
)
def test_a_lender_does_not_say_alone_when_a_rule_without_a_file_began(
    dated_s: float | None, for_s: float | None, healed_s: float | None, lawful: bool
) -> None:
    """The nemesis has written down that it made education forbidden at 9 s."""
    began_ns = T0_NS + 9 * NS_PER_S
    healed_ns = None if healed_s is None else T0_NS + round(healed_s * NS_PER_S)
    params = (("adopted_after_s", "never"), ("announced", "off"), ("target", "education"))
    spec = FaultSpec(
        "business: rule_in_force education", "business", "rule_in_force", 9.0, for_s, params
    )
    line = FaultLine(
        spec.name, "gateway->compliance", "nobody" if for_s is None else "nemesis", began_ns,
        began_ns, began_ns, began_ns, healed_ns, healed_ns, None, began_ns, healed_ns,
    )  # fmt: skip
    in_force_ns = None if dated_s is None else T0_NS + round(dated_s * NS_PER_S)
    view = changed(
        CLEAN,
        scenario=replace(CLEAN.scenario, faults=(spec,)),
        faults=(line,),
        policies=(*CLEAN.policies, Policy("compliance", 2, "education", in_force_ns, None, None)),
    )
    oracle = Oracle(view)
    assert oracle.lawful(CLEAN.intents[DRAW]) is lawful
    assert oracle.lawful(CLEAN.intents[90]), "asked before the book can have had it"
    ends = {end.intent.intent: end for end in judge_intents(view, Oracle(view))}
    assert ends[DRAW].lawful is lawful
    assert ends[90].lawful
    assert (ends[DRAW].end == "wrongly_approved") is not lawful
    assert warnings(view).by_policy == ({} if dated_s is None else {"compliance 2": None})


@pytest.mark.parametrize("said_s", [-60.0, 3600.0], ids=["long before", "long after"])
def test_an_answer_that_is_dated_to_where_there_is_no_law_is_no_answer(said_s: float) -> None:
    """By its own word a lender has decided when the rule was not yet law, or no longer."""
    draws = [one._replace(compliance_ns=T0_NS + round(said_s * NS_PER_S)) for one in CLEAN.draws]
    # In force from 35 s before the draw is due, by a policy that ends while the run lasts.
    law = Policy("compliance", 9, "education", T0_NS - 25 * NS_PER_S, None, None,
                 ended_ns=T0_NS + 15 * NS_PER_S)  # fmt: skip
    view = changed(CLEAN, draws=draws, policies=(*CLEAN.policies, law))
    oracle = Oracle(view)
    assert CLEAN.intents[DRAW].purpose == "education"
    assert not oracle.lawful(CLEAN.intents[DRAW])
    (end,) = [one for one in judge_intents(view, oracle) if one.intent.intent == DRAW]
    assert (end.lawful, end.end) == (False, "wrongly_approved")


@pytest.mark.parametrize("decided_ns", [T0_NS - 60 * NS_PER_S, None], ids=["long before", "never"])
def test_a_decision_to_pay_is_dated_by_the_money_that_it_held(decided_ns: int | None) -> None:
    """How old an answer may be is counted from there: a lender that moves both has decided when
    there was no law yet."""
    said_ns = T0_NS - 60 * NS_PER_S
    draws = [
        one._replace(compliance_ns=said_ns, decided_ns=decided_ns)
        if one.draw_key == CLEAN.intents[DRAW].draw_key
        else one
        for one in CLEAN.draws
    ]
    view = ruled(rule(), view=changed(CLEAN, draws=draws))
    assert Oracle(view).lawful(CLEAN.intents[DRAW])
    (found,) = [one for one in measure(view).audit if one.rule == 6]
    assert (found.verdict, found.count) == ("breached", 1)
    assert found.first == "key-000100: its last try has another state, tier, start or end"


RULES = st.sampled_from([one for one, _ in CASES.values()])
MOMENTS = st.none() | st.integers(0, 40).map(float)


@settings(max_examples=30, deadline=None)
@given(RULES, MOMENTS, MOMENTS, st.booleans())
def test_one_by_one_and_all_at_once(
    one: Rule, at_s: float | None, told_s: float | None, all_tiers: bool
) -> None:
    if all_tiers:
        one = replace(one, limit="every draw", tiers=("own", "partner-a"), purposes=(), groups=(),
                      borrowers="")  # fmt: skip
    view = ruled(one, at_s, told_s)
    oracle = Oracle(view)
    for end in judge_intents(view, Oracle(view)):
        intent = end.intent
        assert (end.promised, end.lawful) == (oracle.promised(intent), oracle.lawful(intent))


def test_a_partner_that_the_law_bars_and_that_refuses_is_the_laws_doing() -> None:
    """Not adopted, the rule sends draws to a partner that pays no more."""
    numbers = range(101, 141, 2)
    keys = {CLEAN.intents[n].draw_key for n in numbers}
    view = broken(CLEAN, numbers, status=503)
    view = changed(
        view,
        calls=[
            c._replace(result="refused")
            if c.draw_key in keys and c.server == "bank.partner-a"
            else c
            for c in view.calls
        ],
        attempts=[
            a._replace(outcome="failed") if a.intent in numbers else a for a in view.attempts
        ],
    )
    one = rule("every draw", tiers=("partner-a",))
    for at_s, cause in ((9.0, "compliance"), (30.0, "system")):
        judged = ruled(one, at_s, view=view)
        ends = attribute(judged, judge_intents(judged, Oracle(judged)), {})
        assert {end.cause for end in ends if end.broken} == {cause}
        if cause == "compliance":
            assert {end.hop for end in ends if end.broken} == {"bank.partner-a"}


# -- warnings -----------------------------------------------------------------------------------


def test_the_lead_of_a_warning_is_from_the_notice_to_the_first_draw_it_concerns() -> None:
    found = warnings(ruled(rule(bound=20_500), 9.0, 4.0))
    # The first draw of more than 20,500 fen is number 106, due after 10.6 s.
    assert found.by_policy == {"rule r": 6.6}
    assert (found.lead_s, found.told_share, found.draws) == (6.6, 1.0, 94)
    late = warnings(ruled(rule(bound=20_500), 9.0, 12.0))
    assert late.lead_s == -1.4
    assert late.told_share == 80 / 94


def test_who_was_never_told_has_no_lead_and_is_named() -> None:
    found = warnings(ruled(rule(), 9.0))
    assert (found.lead_s, found.untold, found.told_share) == (None, ("rule r",), 0.0)
    assert warnings(ruled(rule(), None)).by_policy == {}  # no news
    assert measure(ruled(rule(), 9.0)).warnings == found


def test_a_policy_of_risk_and_a_shortage_have_leads_too() -> None:
    tight = Policy("risk", 8, None, T0_NS + 9 * NS_PER_S, None, None, above_fen=20_500)
    told = Published(None, "notice", 8, T0_NS + 9 * NS_PER_S)
    view = changed(CLEAN, policies=(*CLEAN.policies, tight), published=(*CLEAN.published, told))
    assert warnings(view).by_policy == {"risk 8": 1.6}
    short = Policy("shortage", 9, None, None, T0_NS + 14 * NS_PER_S, None, above_fen=0)
    refused: list[Attempt] = [
        a._replace(outcome="refused", cause="liquidity", status=409) if a.intent >= 150 else a
        for a in CLEAN.attempts
    ]
    dry = changed(CLEAN, attempts=refused)
    assert warnings(dry).untold == ("shortage",)
    warned = changed(
        dry, policies=(*CLEAN.policies, short),
        published=(*CLEAN.published, told._replace(policy=9, published_ns=T0_NS + 14 * NS_PER_S)),
    )  # fmt: skip
    assert warnings(warned).by_policy == {"shortage": 1.0}
    # Called off before anybody was refused, it was no warning.
    over = short._replace(ended_ns=T0_NS + 14_500 * NS_PER_S // 1000)
    calm = changed(warned, policies=(*CLEAN.policies, over))
    assert (warnings(calm).untold, warnings(calm).told) == (("shortage",), 0)
    # Told, it withholds what it had promised: the guarantee rises by it, and access does not.
    shares = [measure(view).guarantee.total for view in (dry, warned)]
    assert shares[0].access == shares[1].access
    assert (shares[0].count or 1) < (shares[1].count or 0)
    assert shares[1].withheld > 0 == shares[0].withheld
