"""Faults of the business on a real lender: policies, rules, tiers and money, each seen by questions
of our own, felt by borrowers, dated in the book, and gone without a trace in the accounts.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.request import urlopen

import pytest

from harness.faults import console
from harness.faults.fault import Fault
from harness.faults.money import MassRepayment, TierDrained
from harness.faults.partners import LimitCut, PartnerWalks
from harness.faults.policies import Stress, Tightening
from harness.faults.rules import Blackout, BookFault, RuleAdopted, RuleInForce, TierOut
from harness.guardian.undo import perform
from harness.target import plan_tables
from mock_lender.cluster.config import TierConfig
from tests.books import assert_at_rest, rows
from tests.fault_life import gone, seen_and_healed, some_daily
from tests.lender_process import TOKEN, lender, until
from tests.surroundings import LenderSurroundings

BOOK: Mapping[str, Fault] = {
    "tightening": Tightening(30.0, "tightening", above_fen=50_000),
    "stress": Stress(30.0, "stress", level=0.6),
    "cut": Tightening(30.0, "cut", cut=0.5, share=0.5),
    "told cut": Tightening(30.0, "told cut", cut=0.5, lead_s=0.2),
    "rule in force": RuleInForce(30.0, "rule in force", purpose="medical"),
    "rule never adopted": RuleInForce(30.0, "unadopted", purpose="medical", adopted_s=None),
    "rule adopted": RuleAdopted(30.0, "rule adopted", purpose="renovation"),
    "tier out": TierOut(30.0, "tier out", tier="own"),
    "blackout": Blackout(30.0, "blackout", bank="bank.own"),
    "blackout unannounced": Blackout(30.0, "surprise", bank="bank.own", announced=False),
    "own walks": PartnerWalks(30.0, "own walks", tier="own", told_after_s=20.0),
    "own walks and says so": PartnerWalks(30.0, "and says so", tier="own", in_flight="finish"),
}
FAULTS: Mapping[str, Fault] = {
    **BOOK,
    "drained": TierDrained("own", 1.0, 30.0, "drained"),
    "half drained": TierDrained("partner-a", 0.5, 30.0, "half drained"),
    "limit cut": LimitCut("own", "hourly", 0.0, 30.0, "limit cut"),
    "limit halved": LimitCut("own", "daily", 0.5, 30.0, "limit halved"),
}
TIERS = (
    TierConfig("own", "bank.own", 0.5, 10**12, hour_limit_fen=10**11, day_limit_fen=10**11),
    TierConfig("partner-a", "bank.partner-a", 0.5, 10**12),
)


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    with lender(tmp_path_factory.mktemp("business") / "lender", tiers=TIERS) as made:
        (made.folder / ".token").write_text(TOKEN)
        yield LenderSurroundings(made)


@pytest.mark.parametrize("fault", some_daily(FAULTS))
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: Fault) -> None:
    seen_and_healed(around, fault)


@pytest.mark.parametrize("name", ["tightening", "blackout", "drained"])
def test_the_journals_undo_heals_as_well(around: LenderSurroundings, name: str) -> None:
    fault = FAULTS[name]
    undo = fault.undo(around)
    before = tiers(around)
    fault.inject(around)
    assert perform(undo, around.made.folder) is None
    are_again(around, before)
    if isinstance(fault, BookFault):
        gone(around, fault)


@pytest.mark.parametrize("kind", ["rules", "drain"])
def test_a_lease_ends_it_when_nobody_comes_back(around: LenderSurroundings, kind: str) -> None:
    before = tiers(around)
    body: dict[str, object] = {"kind": kind, "lease_s": 0.5}
    body |= {"entries": [{"kind": "tier", "tier": "own"}], "tier": "own", "share": 0.5}
    console.take(around, f"short {kind}", body)
    assert tiers(around) != before or kind == "rules"  # an entry is dated a little ahead
    until(lambda: console.look(around, "/holds") == {"holds": []}, 5)
    are_again(around, before)


def tiers(around: LenderSurroundings) -> dict[str, Any]:
    """What each has; a ledger that is too busy to say is asked again."""

    def said() -> dict[str, Any] | None:
        status, found = around.made.ask("GET", "/tiers", gateway="ledger-1")
        return found if status == 200 else None

    return cast(dict[str, Any], until(said))


def are_again(around: LenderSurroundings, before: dict[str, Any]) -> None:
    """All tiers have what they had; what they have instead is said."""
    with suppress(AssertionError):
        until(lambda: tiers(around) == before)
    assert tiers(around) == before


def during(around: LenderSurroundings, fault: Fault, key: str, **press: Any) -> dict[str, Any]:
    """What a press during the fault comes to: its status, and the lender's words."""
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
        status, said = around.made.draw(key, **press)
    finally:
        fault.heal(around)
    gone(around, fault)
    return {"status": status, **said}


def test_a_tightening_refuses_what_is_above_it_and_nothing_else(
    around: LenderSurroundings,
) -> None:
    fault = BOOK["tightening"]
    said = during(around, fault, "too-much-now", borrower=20, amount_fen=50_001)
    assert (said["status"], said["cause"], said["reason"]) == (403, "risk", "tightened")
    assert around.made.ask("GET", "/v1/borrowers/20/quota")[1]["available_fen"] > 50_001
    assert during(around, fault, "not-too-much", borrower=20, amount_fen=50_000)["status"] == 201
    assert around.made.draw("as-before-again", borrower=20, amount_fen=50_001)[0] == 201


def test_a_cut_limit_refuses_what_is_above_it_and_is_shown_where_it_was_told(
    around: LenderSurroundings,
) -> None:
    """Half of a limit of 1,000,000 fen. Borrower 60 is new and has a low income, 59 neither."""
    untold, told = BOOK["cut"], BOOK["told cut"]
    said = during(around, untold, "above-half-now", borrower=60, amount_fen=500_001)
    assert (said["status"], said["cause"], said["reason"]) == (403, "risk", "limit-cut")
    assert (
        during(around, untold, "not-above-half", borrower=60, amount_fen=500_000)["status"] == 201
    )
    assert during(around, untold, "of-good-score", borrower=59, amount_fen=500_001)["status"] == 201
    told.inject(around)
    try:
        until(lambda: told.observe(around).bites is True, told.bites_within_s)
        until(lambda: shown_fen(around, 61) == 500_000, 3)
    finally:
        told.heal(around)
    gone(around, told)
    until(lambda: shown_fen(around, 61) == 1_000_000, 3)


def shown_fen(around: LenderSurroundings, borrower: int) -> int:
    return int(around.made.ask("GET", f"/v1/borrowers/{borrower}/quota")[1]["available_fen"])


def test_a_rule_is_obeyed_once_it_is_adopted_and_not_before(around: LenderSurroundings) -> None:
    adopted, never = BOOK["rule in force"], BOOK["rule never adopted"]
    said = during(around, adopted, "forbidden-now", borrower=21, purpose="medical")
    assert (said["status"], said["cause"]) == (403, "compliance")
    assert during(around, never, "unlawful-one", borrower=21, purpose="medical")["status"] == 201


@pytest.mark.parametrize(
    "name",
    ["tier out", "blackout", "blackout unannounced", "drained", "own walks", "limit cut"],
)
def test_the_other_tier_pays_meanwhile(around: LenderSurroundings, name: str) -> None:
    for number in range(3):
        key = f"other-{name}-{number}".replace(" ", "-")
        said = during(around, FAULTS[name], key, borrower=30 + number)
        assert (said["status"], said.get("tier")) == (201, "partner-a"), said


def test_without_any_tier_there_is_no_money(around: LenderSurroundings) -> None:
    out = TierOut(30.0, "the other", tier="partner-a")
    out.inject(around)
    try:
        said = during(around, BOOK["tier out"], "nobody-lends-1", borrower=40)
    finally:
        out.heal(around)
    assert (said["status"], said["cause"], said["certain"]) == (409, "liquidity", True)
    gone(around, out)
    assert around.made.draw("nobody-lends-1", borrower=40)[0] == 201


def test_debts_are_repaid_in_bulk_and_only_as_it_is_written_down(
    around: LenderSurroundings,
) -> None:
    fault = MassRepayment(50.0, 30.0, "collected")
    for number in range(3):
        assert around.made.draw(f"to-be-collected-{number}", borrower=50 + number)[0] == 201
    gone(around, fault)
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
        until(lambda: owed_fen(around, 52) == 0, 5)
    finally:
        fault.heal(around)
    gone(around, fault)
    assert around.made.draw("owed-after-it-is-over", borrower=50)[0] == 201
    assert owed_fen(around, 50) == 100
    assert perform(fault.undo(around), around.made.folder) is None


def owed_fen(around: LenderSurroundings, borrower: int) -> int:
    quota = around.made.ask("GET", f"/v1/borrowers/{borrower}/quota")[1]
    return int(quota["outstanding_fen"])


def test_a_payout_that_was_refused_in_a_window_is_never_paid(around: LenderSurroundings) -> None:
    """Also when it comes again after the window: its key is closed for ever. What is meant for
    another bank this one can't close: that one may be paying it."""
    payout = {"payout_key": "in-a-window", "draw_key": "x", "amount_fen": 5}
    astray = {**payout, "payout_key": "of-another", "bank": "bank.partner-a"}
    fault = BOOK["blackout unannounced"]
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
        asked = around.made.ask("POST", "/payouts", payout, gateway="bank.own")
        strayed = around.made.ask("POST", "/payouts", astray, gateway="bank.own")
    finally:
        fault.heal(around)
    gone(around, fault)
    assert (asked[0], strayed[0]) == (409, 422)
    assert around.made.ask("POST", "/payouts", payout, gateway="bank.own")[0] == 409


def test_the_metrics_of_a_ledger_tell_of_its_tiers(around: LenderSurroundings) -> None:
    place = around.made.service("ledger-1")
    with urlopen(f"http://{place.host}:{place.port}/metrics", timeout=5) as said:
        lines = said.read().decode().splitlines()
    named = {line.rpartition(" ")[0] for line in lines}
    assert {'reserved_total{tier="own"}', 'reserved_total{tier="partner-a"}'} <= named
    assert {"no_money_total", "fine_allocation_gathered_total", "funding_plan_hours"} <= named
    counted = {name: int(number) for name, _, number in (line.rpartition(" ") for line in lines)}
    assert counted['reserved_total{tier="partner-a"}'] > 0


def test_all_of_it_is_dated_and_the_books_agree(around: LenderSurroundings) -> None:
    """Last in this module: it ends the services."""
    entries = json.loads((around.made.records / plan_tables.RULEBOOK).read_text())
    adopted = plan_tables.adoptions(sorted(around.made.records.glob("states.*.csv")))
    policies = list(plan_tables.policy_rows(entries, adopted))
    tightened = [row for row in policies if row.above_fen == 50_000]
    began = {row.policy: row.in_force_ns for row in tightened if row.replica is None}
    obeyed = [row for row in tightened if row.replica is not None]
    assert {row.replica for row in obeyed} == {"risk-1", "risk-2"}
    for row in obeyed:
        begins_ns, ended_ns = began[row.policy], row.ended_ns
        assert begins_ns is not None
        assert row.adopted_ns is not None
        assert ended_ns is not None
        assert begins_ns <= row.adopted_ns <= ended_ns
    draws = {row["draw_key"]: row for row in rows(around.made.books(), "draws")}
    assert int(draws["too-much-now"]["risk_policy"]) in began
    assert draws["as-before-again"]["risk_policy"] == "1"
    books = around.made.folder / "books"
    assert_at_rest(books)
    collected = {row["repay_key"]: row for row in rows(around.made.records, "collections")}
    taken = {row["repay_key"]: row for row in rows(books, "repayments") if row["state"] == "repaid"}
    assert taken.keys() <= collected.keys()
    assert {"50", "51", "52"} <= {row["borrower"] for row in taken.values()}
    for key, repaid in taken.items():
        assert repaid["amount_fen"] == collected[key]["amount_fen"]
