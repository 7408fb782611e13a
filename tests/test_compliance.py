"""Compliance in the lender: the calendar, who is refused by which clock, and spoilt readings."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message

from harness.notice_looks import shown
from harness.target.plan_tables import policy_rows
from mock_lender import clock
from mock_lender.cluster.config import CapacityConfig, LawConfig, LenderConfig, TierConfig
from mock_lender.cluster.postgres import Access
from mock_lender.compliance import Decider, create_app
from mock_lender.console.calendar import Calendar
from mock_lender.console.hold import RefusedError
from mock_lender.context import ServiceContext
from mock_lender.http.app import metric_lines, protection_lines
from mock_lender.http.wire import Reply
from mock_lender.law import register
from mock_lender.notices import Notices
from mock_lender.one_clock import OneClock
from mock_lender.rulebook import Entry, Rulebook, Wanted, Writer
from mock_lender.telemetry import Telemetry

RULES = """
rules:
  - id: use_ban
    says: no securities
    effective_from: 2020-07-17
    scope: {purposes: [securities]}
    bars: every draw
    source: x
  - id: draw_max
    says: at most 400 yuan a draw
    effective_from: 2024-07-01
    scope: draws
    bars: {draw_above: 400 yuan}
    source: x
  - id: white_list
    says: no business with partner-a
    effective_from: 2025-10-01
    scope: {tiers: [partner-a]}
    bars: every draw
    source: x
"""
DATE, LATER = "2024-07-01", "2025-10-01"
HOUR_NS = 3600 * 10**9


def context(folder: Path, *protections: str, **changes: object) -> ServiceContext:
    """compliance-1, or whoever else, under these rules; today is the day before the maximum."""
    (folder / "rules.yaml").write_text(RULES)
    (folder / "register.csv").write_text(
        "borrower,group,limit_fen,student,unverified\n7,new,5000000,1,0\n"
    )
    law = LawConfig(
        str(folder / "rules.yaml"), str(folder / "register.csv"), "2024-06-30", 5.0, {"new": 2800}
    )
    config = LenderConfig(
        work_dir="", telemetry_dir=str(folder), topology_json="", population_csv="", cache_dir="",
        token="", protections=protections, replicas={"ledger": 1},
        capacity=CapacityConfig(1, 1, 1, 0.0),
        tiers=tuple(TierConfig(t, f"bank.{t}", 0.5, 1) for t in ("own", "partner-a")),
        barred_purposes=(), law=law,
    )  # fmt: skip
    return ServiceContext(
        name="compliance-1", role="compliance", config=replace(config, **changes),  # type: ignore[arg-type]  # the tests' own
        addresses={}, witness_json=folder / "witness.json", access=Access("none"),
        telemetry=Telemetry(folder, "compliance-1"),
    )  # fmt: skip


def told(ctx: ServiceContext, in_s: float = 20.0, *, stop: bool = False) -> dict[str, Entry]:
    """By rule, or by tier, what the book has when both dates begin in a while."""
    writer = Writer(ctx.rulebook_json)
    calendar = Calendar(ctx, writer)
    calendar.begin()
    begins_ns = time.monotonic_ns() + round(in_s * 1e9)
    for date in (DATE, LATER):
        calendar.tell(date, begins_ns, partners_stop=stop)
        calendar.tell(date, begins_ns + HOUR_NS, partners_stop=stop)  # what was said first stays
    return {str(one.rule or one.tier): one for one in writer.entries}


def late_s(one: Entry) -> float:
    """How long it is law and not obeyed."""
    assert one.in_force_ns is not None
    assert one.adopted_ns is not None
    return (one.adopted_ns - one.in_force_ns) / 1e9


def test_with_compliance_first_a_rule_is_adopted_and_told_ahead(tmp_path: Path) -> None:
    entry = told(context(tmp_path, "compliance_first"))["draw_max"]
    assert late_s(entry) == 0
    assert entry.announced_ns is not None
    assert entry.announced_ns < (entry.in_force_ns or 0)


def test_without_it_adoption_begins_when_the_rule_is_law_and_nobody_is_told(
    tmp_path: Path,
) -> None:
    entry = told(context(tmp_path))["draw_max"]
    assert (late_s(entry), entry.announced_ns) == (5.0, None)


def test_known_too_late_a_rule_is_adopted_late_also_with_it(tmp_path: Path) -> None:
    entry = told(context(tmp_path, "compliance_first"), in_s=2.0)["draw_max"]
    assert 3.0 <= late_s(entry) < 3.5


def test_rules_of_before_are_obeyed_and_known_from_the_start(tmp_path: Path) -> None:
    entry = told(context(tmp_path))["use_ban"]
    assert late_s(entry) == 0
    assert entry.announced_ns is not None


def test_a_partner_may_stop_by_itself(tmp_path: Path) -> None:
    book = told(context(tmp_path), stop=True)
    assert book["partner-a"].kind == "window"
    assert book["partner-a"].adopted_ns == book["white_list"].in_force_ns
    (tmp_path / "b").mkdir()
    assert "partner-a" not in told(context(tmp_path / "b"))


@pytest.mark.parametrize("date", ["2020-07-17", "2024-08-01", "soon"])
def test_a_date_that_no_rule_to_come_has_is_refused(tmp_path: Path, date: str) -> None:
    ctx = context(tmp_path)
    with pytest.raises(RefusedError, match="no rule takes effect"):
        Calendar(ctx, Writer(ctx.rulebook_json)).tell(date, None, partners_stop=False)


def refused(ctx: ServiceContext, at_ns: int, **more: object) -> str | None:
    """Why a draw is refused by the rules that are obeyed at a moment."""
    rules = Rulebook(ctx.rulebook_json, ctx.telemetry).obeyed("compliance", at_ns)
    body: dict[str, object] = {"borrower": 7, "amount_fen": 50_000, "purpose": "education"}
    return Decider(ctx).why_not({**body, **more}, rules)


def test_who_decides_obeys_what_is_adopted(tmp_path: Path) -> None:
    ctx = context(tmp_path, "compliance_first")
    adopted_ns = told(ctx)["draw_max"].adopted_ns or 0
    assert refused(ctx, adopted_ns - 1) is None
    assert refused(ctx, adopted_ns) == "rule-barred"
    assert refused(ctx, adopted_ns, amount_fen=40_000) is None
    assert refused(ctx, adopted_ns - 1, purpose="securities") == "rule-barred"
    rules = Rulebook(ctx.rulebook_json, ctx.telemetry).obeyed("compliance", adopted_ns)
    assert Decider(ctx).barred_tiers(rules) == {"partner-a"}


def test_where_no_tier_is_left_every_draw_is_refused(tmp_path: Path) -> None:
    alone = (TierConfig("partner-a", "bank.partner-a", 1.0, 1),)
    ctx = context(tmp_path, "compliance_first", tiers=alone)
    adopted_ns = told(ctx)["white_list"].adopted_ns or 0
    assert refused(ctx, adopted_ns, amount_fen=100) == "rule-barred"
    assert refused(ctx, adopted_ns - 1, amount_fen=100) is None


def test_a_register_knows_flags_by_the_names_of_the_rules(tmp_path: Path) -> None:
    context(tmp_path)
    assert register(tmp_path / "register.csv")[7].flags == {"students"}


def test_notices_are_handed_out_once_published_and_until_over(tmp_path: Path) -> None:
    ctx = context(tmp_path, "compliance_first")
    entry = told(ctx)["draw_max"]
    notices = Notices(ctx)
    ahead = notices.now((entry.announced_ns or 0) + 1)
    (one,) = [found for found in ahead if found.get("rule") == "draw_max"]
    assert one["text"] == "A rule takes effect: at most 400 yuan a draw."
    assert (one["begins_ns"], one["published_ns"]) == (entry.in_force_ns, entry.announced_ns)
    # Who looks from outside knows it by what the evidence calls it.
    book = json.loads(ctx.rulebook_json.read_text())
    told_by_then = [row for row in book if row["announced_ns"] <= (entry.announced_ns or 0)]
    named = [(row.policy, row.kind, row.rule) for row in policy_rows(told_by_then, {})]
    assert shown(200, {"notices": ahead}) == (200, named)
    assert notices.now(entry.ended_ns + HOUR_NS) == []
    (tmp_path / "b").mkdir()
    silent = context(tmp_path / "b")
    told(silent)
    found = Notices(silent).now(time.monotonic_ns() + HOUR_NS)
    assert [one.get("rule") for one in found] == ["use_ban"]


# -- one clock ----------------------------------------------------------------------------------


def answer(now_ns: int) -> Reply:
    return Reply("answer", "ledger-1", 200, {"now_ns": now_ns})


def test_the_one_clock_does_not_follow_a_replicas_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = OneClock(context(tmp_path, "compliance_first"))
    monkeypatch.setattr(clock, "_skew_ns", -3 * 10**9)
    assert one.now_ns() < time.monotonic_ns() - 2 * 10**9  # until it has been told the time
    asked_ns = time.monotonic_ns()
    one.told(answer(time.monotonic_ns()), asked_ns, time.monotonic_ns())
    off_ns = one.now_ns() - time.monotonic_ns()
    assert 0 <= off_ns < 10**8  # never behind, for then a rule would be obeyed too late
    assert one.figures()["own_clock_off_s"] < -2.9


def test_the_surest_answer_counts_and_half_an_answer_does_not(tmp_path: Path) -> None:
    one = OneClock(context(tmp_path, "compliance_first"))
    base_ns = time.monotonic_ns()
    for reply in (Reply("unknown", "ledger-1"), Reply("answer", "l", 200, {"now_ns": "x"})):
        one.told(reply, base_ns, base_ns)
        assert one.figures() == {}
    one.told(answer(base_ns), base_ns, base_ns + 1000)
    sure = one.figures()["one_clock_unsure_s"]
    one.told(answer(base_ns + 10**9), base_ns, base_ns + 10**9)  # a second on its way
    assert one.figures()["one_clock_unsure_s"] == sure


def test_what_the_answer_may_be_wrong_by_ends_no_rule_early(tmp_path: Path) -> None:
    """A draw that is dated a millisecond before the end of a rule is under the rule."""
    ctx = context(tmp_path, "compliance_first")
    ended_ns = told(ctx)["draw_max"].ended_ns
    one, book = OneClock(ctx), Rulebook(ctx.rulebook_json, ctx.telemetry)
    one.told(answer(ended_ns - 6 * 10**6), ended_ns - 16 * 10**6, ended_ns - 6 * 10**6)

    def rules(at_ns: int) -> set[str | None]:
        return {entry.rule for entry in book.obeyed("compliance", *one.between(at_ns))}

    assert one.between(ended_ns - 10**6)[1] > ended_ns  # for all we know it is over
    assert "draw_max" in rules(ended_ns - 10**6)
    assert "draw_max" not in rules(ended_ns + 10**6)


def test_a_check_is_dated_when_it_is_decided_and_not_when_it_was_asked(tmp_path: Path) -> None:
    """A rule that ends while the question is still on its way was not in force at the decision."""
    ctx = context(tmp_path)
    rule = Wanted("compliance", 0.05, forbids="medical")
    (entry,) = Writer(ctx.rulebook_json).publish("x", [rule])
    whole = b'{"borrower": 7, "amount_fen": 100, "purpose": "medical"}'
    said: list[Message] = []

    async def receive() -> Message:
        on_its_way = time.monotonic_ns() <= entry.ended_ns
        body = b"" if on_its_way else whole
        return {"type": "http.request", "body": body, "more_body": on_its_way}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/check", "query_string": b"", "state": {},
        "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip

    async def ask() -> None:
        await create_app(ctx)(scope, receive, send)

    asyncio.run(ask())
    assert said[0]["status"] == 200
    assert json.loads(said[1]["body"])["decided_ns"] >= entry.ended_ns


# -- defects ------------------------------------------------------------------------------------


def test_a_forgotten_rule_is_adopted_and_not_obeyed(tmp_path: Path) -> None:
    ctx = context(tmp_path, "compliance_first", defects=("rule-forgotten",))
    at_ns = (told(ctx)["white_list"].adopted_ns or 0) + 1
    rules = Rulebook(ctx.rulebook_json, ctx.telemetry).obeyed("compliance", at_ns)
    assert Decider(ctx).barred_tiers(rules) == frozenset()
    assert refused(ctx, at_ns) == "rule-barred"  # the others are known


def test_a_rule_dated_late_is_adopted_an_hour_late(tmp_path: Path) -> None:
    ctx = context(tmp_path, "compliance_first", defects=("rule-dated-late",))
    assert late_s(told(ctx)["draw_max"]) == 3600


def test_a_cap_in_the_wrong_unit_refuses_what_the_rule_allows(tmp_path: Path) -> None:
    ctx = context(tmp_path, "compliance_first", defects=("cap-in-wrong-unit",))
    at_ns = told(ctx)["draw_max"].adopted_ns or 0
    assert refused(ctx, at_ns, amount_fen=500) == "rule-barred"
    assert refused(ctx, at_ns, amount_fen=400) is None


def test_protections_that_are_on_are_among_the_metrics(tmp_path: Path) -> None:
    lines = protection_lines(context(tmp_path, "compliance_first", "early_warning"))
    assert lines == 'protection{name="compliance_first"} 1\nprotection{name="early_warning"} 1\n'
    assert protection_lines(context(tmp_path)) == ""
    assert metric_lines({"x": 2.5}) == "x 2.5\n"
