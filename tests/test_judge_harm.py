"""Goodput, money blocked, blast radius, straddlers, shares by group and replica, amplification."""

from dataclasses import replace

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Call
from harness.judge.expectations import measured
from harness.judge.judge import judge, measure
from harness.judge.view import RunView
from tests.run_views import T0_NS, broken, changed, clean, scenario


def _granted_late(view: RunView, number: int, late_ns: int) -> RunView:
    attempts = tuple(
        a._replace(done_ns=(a.done_ns or 0) + late_ns) if a.intent == number else a
        for a in view.attempts
    )
    return changed(view, attempts=attempts)


def test_goodput_counts_grants_when_they_came() -> None:
    view = clean()
    harm = measure(view).harm
    # Ten a second, a twentieth of them to be refused; the last of the drill is known after its end.
    assert harm.goodput["fault"] == harm.goodput["baseline"] == 9.5
    assert harm.goodput["drill"] == round(388 / 41, 4)
    # Due in the baseline, which ends at 15 s, and known in the fault phase.
    moved = measure(_granted_late(view, 140, 2 * NS_PER_S)).harm
    assert moved.goodput["baseline"] == pytest.approx(9.5 - 1 / 12, abs=1e-4)
    assert moved.goodput["fault"] == pytest.approx(9.5 + 1 / 14, abs=1e-4)


def test_goodput_of_a_phase_that_was_not_finished_is_not_known() -> None:
    view = replace(clean(), ended="interrupted: SIGINT", load_end_ns=T0_NS + 20 * NS_PER_S)
    goodput = measure(view).harm.goodput
    assert goodput["baseline"] == 9.5
    assert goodput["fault"] is goodput["watch"] is goodput["drill"] is None
    nothing = changed(clean(), population=())
    assert set(measure(nothing).harm.goodput.values()) == {None}


def test_money_is_blocked_until_it_is_paid_or_the_drain_ends() -> None:
    view = broken(clean(), range(200, 202))
    blocked = measure(view).harm.blocked_yuan_minutes
    # Both due at 20 s and 20.1 s; the drain ends at 42 s; 300 and 301 yuan.
    expected = (300 * 22 + 301 * 21.9) / 60
    assert blocked["drill"] == blocked["fault"] == pytest.approx(expected, abs=1e-3)
    assert blocked["baseline"] == 0
    # Paid after 99 ms, and known 6 s late.
    late = measure(_granted_late(clean(), 200, 6 * NS_PER_S)).harm.blocked_yuan_minutes
    assert late["drill"] == pytest.approx(300 * 0.099 / 60, abs=1e-3)
    unended = measure(replace(view, drain_end_ns=None)).harm
    assert set(unended.blocked_yuan_minutes.values()) == {None}


def test_the_blast_radius_is_of_borrowers_and_not_of_draws() -> None:
    view = broken(clean(), range(200, 205))
    blast = measure(view).harm.blast
    assert (blast.hit, blast.due, blast.radius) == (5, 140, 5 / 140)
    # The five draws are one borrower's, whose others are gone from the plan.
    one = changed(view, intents=tuple(
        i._replace(borrower=201) if i.intent in range(200, 205) else i for i in view.intents
    ))  # fmt: skip
    assert measure(one).harm.blast.hit == 1
    assert measure(one).harm.blast.due == 136
    assert measure(changed(view, intents=())).harm.blast.radius is None


def test_who_noticed_a_cut_of_the_other_site() -> None:
    def noticed(view: RunView, site: str = "site b") -> float | None:
        cut = (replace(view.faults[0], edge_or_replica=site), *view.faults[1:])
        return measure(changed(view, faults=cut)).harm.spillover

    view = clean()
    assert measure(view).harm.spillover is None  # no site was cut
    assert noticed(view) == 0
    due = sum(i.borrower % 2 == 1 for i in view.intents if i.phase == "fault" or i.straddling)
    slow = _granted_late(_granted_late(view, 200, 2 * NS_PER_S), 201, 2 * NS_PER_S)
    numbers = {i.intent: i.borrower for i in view.intents}
    mine = sum(numbers[n] % 2 == 1 for n in (200, 201))
    assert noticed(slow) == pytest.approx(mine / due)
    assert noticed(slow, "site a") == pytest.approx((2 - mine) / (140 - due), rel=0.1)
    assert noticed(slow, "site b->banks") is None
    unseen = replace(view.faults[0], edge_or_replica="site b", observed_ns=None)
    assert measure(changed(view, faults=(unseen,))).harm.spillover is None
    assert noticed(changed(view, intents=())) is None


def test_straddlers_are_counted_in_the_fault_phase_and_shown() -> None:
    view = clean()
    found = judge(broken(view, range(156, 158))).value["guarantee"]
    assert found["straddling"] == {"intents": 15, "promised": 14, "broken": 2}
    assert found["by_phase"]["baseline"]["broken"] == 0
    assert found["by_phase"]["fault"]["broken"] == 2


def test_shares_by_group_and_replica() -> None:
    view = broken(clean(), range(200, 210))
    groups = tuple(i._replace(group="prime") if i.intent % 2 else i for i in view.intents)
    attempts = tuple(
        a._replace(replica="gateway-2") if a.intent >= 205 else a for a in view.attempts
    )
    parts = measure(changed(view, intents=groups, attempts=attempts))
    assert list(parts.by_group) == ["new", "prime"]
    assert [s.broken for s in parts.by_group.values()] == [5, 4]  # one had to be refused
    assert sum(s.promised for s in parts.by_group.values()) == parts.guarantee.total.promised
    assert parts.by_replica is not None
    assert list(parts.by_replica) == [
        "bank.own", "bank.partner-a", "compliance-1", "gateway-1", "gateway-2", "ledger-1",
        "risk-1",
    ]  # fmt: skip
    assert parts.by_replica["gateway-1"].broken == 5
    assert parts.by_replica["gateway-2"].broken == 4
    assert parts.by_replica["bank.own"].broken == 5
    assert parts.by_replica["bank.partner-a"].promised == sum(
        t.tier == "partner-a" for t in clean().tries
    )
    assert parts.by_replica["risk-1"] == parts.guarantee.total
    assert measure(changed(view, missing=("calls",))).by_replica is None


def test_a_draw_counts_once_at_each_replica_that_it_passed() -> None:
    view = clean()
    again = tuple(c for c in view.calls if c.server == "ledger-1")
    doubled = changed(view, calls=(*view.calls, *again))
    assert measure(doubled).by_replica == measure(view).by_replica


def test_calls_out_for_each_request_in() -> None:
    view = clean()
    first = next(c for c in view.calls if c.server == "ledger-1")
    ms = NS_PER_MS
    # The ledger's own record: two requests in, three calls to its database; one was never sent.
    arrived = [first._replace(side="server", client="gateway-1", start_ns=first.start_ns + n)
               for n in (1, 2)]  # fmt: skip
    made = [
        Call(first.draw_key, 1, "ledger->database", "ledger-1", "database-1", "client",
             first.start_ns + n * ms, first.start_ns + n * ms + ms, n < 3, "ok", 0)
        for n in range(4)
    ]  # fmt: skip
    found = measure(changed(view, calls=(*view.calls, *arrived, *made))).amplification
    assert found.out_per_in["ledger"] == 1.5
    # Six calls for a draw that is paid, two for one that is refused.
    assert found.out_per_in["gateway"] == round((389 * 5 + 21 * 2) / 410, 4)
    assert measure(changed(view, calls=())).amplification.out_per_in == {}


def test_expectations_may_name_them() -> None:
    told = scenario(
        "expect.fault=[goodput >= 9/s, goodput >= 0.9 x baseline, blocked_yuan_minutes < 10]",
        "expect.drill=[blast_radius < 1 %, avoidable = 0, untrue = 0, stranded = 0]",
    )
    view = replace(clean(), scenario=told)
    assert [one.verdict for one in judge(view).met][2:] == ["held"] * 7
    spoilt = replace(broken(clean(), range(180, 300)), scenario=told)
    met = {one.expectation.text: one.verdict for one in judge(spoilt).met}
    assert met["goodput >= 9/s"] == met["goodput >= 0.9 x baseline"] == "breached"
    assert met["blast_radius < 1 %"] == met["avoidable = 0"] == "breached"
    assert met["blocked_yuan_minutes < 10"] == "breached"
    assert (met["untrue = 0"], met["stranded = 0"]) == ("held", "held")
    parts = measure(changed(clean(), missing=("tiers", "attempts")))
    assert measured("stranded", "drill", parts) is measured("untrue", "drill", parts) is None
