"""Dates of policies and rules: in the lender's book, in the evidence, and as the oracle judges by
them. Pure, but for the book's file.
"""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.rows import Collection, Policy, Published, Repayment, Tier
from harness.evidence.store import RunDir
from harness.evidence.tables import read_rows
from harness.judge.audit_answers import nothing_unasked
from harness.judge.exposure import exposure
from harness.judge.intents import judge_intents
from harness.judge.oracle import Oracle, lasts
from harness.judge.view import RunView
from harness.target import plan_tables
from mock_lender.rulebook import Entry, Rulebook, Wanted, Writer, number_of, read
from mock_lender.telemetry import Telemetry
from tests.run_views import T0_NS, changed, clean

CLEAN = clean(200)
# Draw 100 is due after 10 s: for education, of 20,000 fen.
DRAW = 100
DUE_NS = T0_NS + 10 * NS_PER_S
MOMENTS = st.none() | st.integers(0, 100)


@given(MOMENTS, st.integers(0, 100), st.integers(0, 100))
def test_an_entry_is_obeyed_from_its_adoption_to_its_end(
    adopted: int | None, ended: int, at: int
) -> None:
    entry = Entry(2, "x", "risk", 0, adopted, None, ended)
    assert entry.obeyed(at) == (adopted is not None and adopted <= at < ended)
    assert not entry.obeyed(ended)


def test_the_book_is_on_the_disk_before_its_dates_and_ends_by_itself(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "book.json")
    (first,) = writer.publish("a", [Wanted("risk", lease_s=60.0, above_fen=5, announced=True)])
    (second,) = writer.publish("b", [Wanted("compliance", lease_s=60.0, adopted_s=None)])
    assert (first.number, second.number) == (2, 3)
    assert first.in_force_ns == first.adopted_ns == first.announced_ns
    assert second.adopted_ns is None
    writer.withdraw("a")
    writer.withdraw("never heard of")
    after = read(tmp_path / "book.json")
    assert [entry.number for entry in after] == [2, 3]
    assert after[0].ended_ns < first.ended_ns
    assert after[1] == second


def test_a_replica_obeys_by_date_and_notes_the_first_time(tmp_path: Path) -> None:
    book = Rulebook(tmp_path / "book.json", Telemetry(tmp_path, "risk-1"))
    assert book.obeyed("risk", 10) == ()
    (entry,) = Writer(tmp_path / "book.json").publish("a", [Wanted("risk", 60.0, above_fen=5)])
    assert entry.adopted_ns is not None
    assert book.obeyed("risk", entry.adopted_ns - 1) == ()
    assert book.obeyed("compliance", entry.adopted_ns) == ()
    for _ in range(2):
        assert book.obeyed("risk", entry.adopted_ns) == (entry,)
    assert book.obeyed("risk", entry.ended_ns) == ()
    noted = (tmp_path / "states.risk-1.csv").read_text().splitlines()[1:]
    assert [row.rsplit(",", 1)[0] for row in noted] == ["risk-1,rule,risk 2,adopted"]
    assert list(plan_tables.adoptions([tmp_path / "states.risk-1.csv"])) == [entry.number]
    assert number_of([entry]) == 2
    assert number_of([]) == 1


# -- the oracle ---------------------------------------------------------------------------------


def ruled(*policies: Policy, told_ns: int | None = None) -> RunView:
    """The clean run under more policies, of which borrowers were told at a moment, or never."""
    told = () if told_ns is None else tuple(
        Published(None, "notice", policy.policy, told_ns) for policy in policies
    )  # fmt: skip
    return changed(
        CLEAN, policies=(*CLEAN.policies, *policies), published=(*CLEAN.published, *told)
    )


def risk(from_s: float, to_s: float, above_fen: int = 15_000) -> Policy:
    from_ns, to_ns = (T0_NS + round(at_s * NS_PER_S) for at_s in (from_s, to_s))
    return Policy("risk", 2, None, from_ns, None, None, above_fen=above_fen, ended_ns=to_ns)


def rule(from_s: float | None, to_s: float) -> Policy:
    from_ns = None if from_s is None else T0_NS + round(from_s * NS_PER_S)
    to_ns = T0_NS + round(to_s * NS_PER_S)
    return Policy("compliance", 2, "education", from_ns, None, None, ended_ns=to_ns)


@pytest.mark.parametrize(
    ("policy", "told_s", "promised", "withheld"),
    [
        (risk(9, 12), None, True, False),  # nobody was told
        (risk(9, 12), 9, False, True),
        (risk(9, 12), 10.5, True, False),  # told after it was due
        (risk(3, 9.5), 3, True, False),  # over by then
        (risk(10.5, 12), 4, True, False),  # told of before, and not yet in force
        (risk(9, 12, above_fen=20_000), 9, True, False),  # not above it
        (rule(9, 12), 9, False, True),
    ],
    ids=["untold", "told", "told late", "over", "not yet", "small enough", "rule"],
)
def test_what_was_promised_follows_from_what_had_been_told(
    policy: Policy, told_s: float | None, promised: bool, withheld: bool
) -> None:
    told_ns = None if told_s is None else T0_NS + round(told_s * NS_PER_S)
    oracle, intent = Oracle(ruled(policy, told_ns=told_ns)), CLEAN.intents[DRAW]
    assert (oracle.promised(intent), oracle.withheld(intent)) == (promised, withheld)


@pytest.mark.parametrize(
    ("policy", "lawful"),
    [(rule(9, 12), False), (rule(3, 9), True), (rule(11, 12), True), (rule(None, 12), True),
     (risk(9, 12), True)],
    ids=["in force", "over", "not yet", "never in force", "a policy is no law"],
)  # fmt: skip
def test_lawful_is_what_no_rule_in_force_forbids(policy: Policy, lawful: bool) -> None:
    assert Oracle(ruled(policy)).lawful(CLEAN.intents[DRAW]) is lawful


def test_what_was_granted_against_the_law_is_wrongly_approved() -> None:
    view = ruled(rule(9, 12))
    ends = judge_intents(view, Oracle(view))
    wrong = {end.intent.intent for end in ends if end.end == "wrongly_approved"}
    # Judged by the law at the decision, 2 ms after the press.
    assert wrong == {n for n in range(90, 120) if n % 20 != 7}


@given(MOMENTS, MOMENTS, MOMENTS, st.integers(0, 100))
def test_a_policy_lasts_from_its_beginning_to_its_end(
    in_force: int | None, adopted: int | None, ended: int | None, at: int
) -> None:
    policy = Policy("risk", 2, None, in_force, adopted, None, ended_ns=ended)
    begins = adopted if in_force is None else in_force
    expected = begins is not None and begins <= at and (ended is None or at < ended)
    assert lasts(policy, at) is expected


# -- evidence -----------------------------------------------------------------------------------

TIERS = [Tier("own", "bank.own", 0.5, 10, 0, 1), Tier("partner-a", "bank.partner-a", 0.5, 20, 0, 1)]


def test_the_books_entries_become_dated_rows(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    plan_tables.write_planned(run, CLEAN.population, TIERS, ("securities",))
    writer = Writer(tmp_path / plan_tables.RULEBOOK)
    writer.publish("told", [Wanted("risk", 9.0, above_fen=7, announced=True)])
    window = [Wanted("window", 9.0, tier="own"), Wanted("tier", 9.0, tier="own")]
    writer.publish("window", window)
    (tmp_path / "states.risk-2.csv").write_text(
        "replica,kind,subject,state,at_ns\nrisk-2,rule,risk 2,adopted,77\nrisk-2,rule,risk 2"
    )
    plan_tables.write_added(run, tmp_path, TIERS)
    run.compact()
    entries = read(tmp_path / plan_tables.RULEBOOK)
    policies = [Policy(*row) for row in read_rows(tmp_path, "policies")[0]]
    assert [(p.policy, p.replica, p.adopted_ns) for p in policies if p.above_fen == 7] == [
        (2, None, None), (2, "risk-2", 77)
    ]  # fmt: skip
    published = [Published(*row) for row in read_rows(tmp_path, "published")[0]]
    assert [(p.kind, p.policy) for p in published] == [("policy", 1), ("notice", 2)]
    assert published[1].published_ns == entries[0].announced_ns
    tiers = [Tier(*row) for row in read_rows(tmp_path, "tiers")[0]]
    own = [(tier.from_ns, tier.available) for tier in tiers if tier.tier == "own"]
    assert own[0][1] is None
    assert own[1:] == [(entries[1].adopted_ns, False), (entries[1].ended_ns, True)]
    assert {tier.balance_fen for tier in tiers if tier.tier == "own"} == {10}


def test_an_entry_that_ended_before_its_date_has_shut_no_tier() -> None:
    """A partner that is back before the lender was to hear that it had gone."""
    entry = {"kind": "tier", "tier": "own", "adopted_ns": 20, "ended_ns": 4, "in_force_ns": None}
    never = entry | {"adopted_ns": None}
    again = entry | {"ended_ns": 30}
    assert not [*plan_tables.tier_rows([entry, never], TIERS)]
    rows = [*plan_tables.tier_rows([entry, never, again], TIERS)]
    assert [(one.from_ns, one.available) for one in rows] == [(20, False), (30, True)]


def test_of_a_lenders_limits_those_since_the_drill_began_are_evidence(tmp_path: Path) -> None:
    """An older row would pass for the plan's own."""
    run = RunDir(tmp_path)
    plan_tables.write_planned(run, CLEAN.population, TIERS, ("securities",))
    since_ns = time.monotonic_ns()
    said = [("own", 10**9, "", 1), ("own", 5, 70, since_ns), ("nobody", 5, 70, since_ns)]
    rows = ["tier,hour_limit_fen,day_limit_fen,from_ns", *(",".join(map(str, one)) for one in said)]
    (tmp_path / "limits.csv").write_text("\n".join(rows) + "\n")
    plan_tables.write_limits(run, tmp_path / "limits.csv", TIERS, since_ns)
    run.compact()
    tiers = [Tier(*row) for row in read_rows(tmp_path, "tiers")[0]]
    own = [(one.hour_limit_fen, one.day_limit_fen) for one in tiers if one.tier == "own"]
    assert (len(tiers), own) == (3, [(None, None), (5, 70)])


def test_a_run_without_a_book_has_what_was_planned_alone(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    plan_tables.write_planned(run, CLEAN.population, TIERS, ("securities",))
    plan_tables.write_added(run, tmp_path, TIERS)
    run.compact()
    assert len(read_rows(tmp_path, "policies")[0]) == 2
    assert len(read_rows(tmp_path, "tiers")[0]) == 2
    assert not (tmp_path / plan_tables.RULEBOOK).exists()


def test_a_collection_is_asked_for_by_who_wrote_it_down() -> None:
    repaid = Repayment("mass-1", 5, 300, "repaid", T0_NS)
    asked = Collection("mass-1", 5, 300, T0_NS - 1)
    other = asked._replace(amount_fen=301)
    for collections, wrong in (((), 1), ((asked,), 0), ((other,), 1)):
        view = changed(CLEAN, repayments=(repaid,), collections=collections)
        assert len(nothing_unasked(view, ()).rows) == wrong


def test_a_cut_site_has_touched_what_crosses_its_border() -> None:
    """Gateway-1 asks risk-1 within its site; one call of the run goes to the other."""
    crossing = CLEAN.calls[5]._replace(server="risk-2", edge="gateway->risk", side="client")
    fault = replace(CLEAN.faults[0], edge_or_replica="site b", observed_ns=T0_NS,
                    last_observed_ns=T0_NS + 30 * NS_PER_S)  # fmt: skip
    whole = changed(CLEAN, calls=(*CLEAN.calls, crossing), faults=(fault,))
    (touched,) = exposure(whole).values()
    assert touched.calls == 1
    banks = changed(whole, faults=(replace(fault, edge_or_replica="site a->banks"),))
    (touched,) = exposure(banks).values()
    assert touched.calls == sum(call.server.startswith("bank.") for call in CLEAN.calls)
