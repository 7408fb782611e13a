"""Faults inside a service, on a real lender: seen, healed, seen gone; and the money stays right."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.errors import ScenarioError
from harness.faults.catalogue import build_fault
from harness.faults.fault import Fault
from harness.faults.sample import LENDER, sample_spec
from harness.faults.service import Effect
from harness.faults.shares import PROBES_MAX, PROBES_MIN, SHARE_MIN, believed, interval, probes_for
from harness.plan import addressed, make_plan
from harness.scenario.loader import load_scenario
from harness.scenario.model import FaultSpec
from harness.seeds import draw_key
from tests.books import rows
from tests.drills import SMOKE
from tests.fault_life import seen_and_healed, some_daily, undone_by_the_journal
from tests.lender_process import lender, until
from tests.surroundings import LenderSurroundings


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    with lender(tmp_path_factory.mktemp("suffering") / "lender") as made:
        yield LenderSurroundings(made)


def made(kind: str, target: str, **params: Any) -> Fault:
    """A fault of the family as a scenario would have it, with the defaults of its kind."""
    sample = sample_spec("service", kind, LENDER, for_s=20.0)
    given = {**dict(sample.params), "target": target, **params}
    name = f"service: {kind} {target}"
    return build_fault(FaultSpec(name, "service", kind, 0.0, 20.0, tuple(sorted(given.items()))))


FAULTS: Mapping[str, Fault] = {
    "errors": made("error", "risk-1"),
    "a share of shed calls": made("error", "ledger-1", status=503, certain="on", share=0.3),
    "errors after the work": made("error", "bank.own", done="on"),
    "slow by a distribution": made("slow", "compliance-2", latency_s=0.2, p99_s=1.0),
    "malformed": made("wrong_answer", "bank.own", how="malformed"),
    "empty": made("wrong_answer", "ledger-2", how="empty"),
    "contradicting": made("wrong_answer", "risk-2", how="contradicting"),
    "contradicting reads": made("wrong_answer", "ledger-1", operation="status"),
    "delivered twice": made("duplicate", "bank.own"),
    "a share delivered twice, later": made("duplicate", "ledger-2", share=0.5, latency_s=0.3),
    "stale decisions": made("stale_cache", "risk-1"),
    "stale quotas": made("stale_cache", "ledger-1", operation="quota"),
    "reads browned out": made("brownout", "gateway-2", operation="reads"),
    "writes browned out": made("brownout", "gateway-2", operation="writes"),
    "less capacity at a bank": made("less_capacity", "bank.partner-a"),
    "less capacity at a gateway": made("less_capacity", "gateway-1", left=0.01),
    "a leak of slots": made("leak", "gateway-1", every_s=0.02),
    "a leak of memory": made("leak", "risk-2", what="memory", every_s=0.01, most=48),
    "no telemetry": made("lost_telemetry", "ledger-1"),
    "one draw": made("error", "ledger-1", draw="somebody-s-draw"),
}  # fmt: skip


@pytest.mark.parametrize("fault", some_daily(FAULTS))
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: Fault) -> None:
    seen_and_healed(around, fault)
    undone_by_the_journal(around, fault)


def test_only_the_draw_that_is_meant_is_hit(around: LenderSurroundings) -> None:
    faults = [made("error", name, draw="the-one-draw") for name in ("ledger-1", "ledger-2")]
    for fault in faults:
        fault.inject(around)
    try:
        assert around.made.draw("another-draw", borrower=40)[0] == 201
        assert around.made.draw("the-one-draw", borrower=41)[0] == 504
    finally:
        for fault in faults:
            fault.heal(around)
    assert around.made.draw("the-one-draw", borrower=41)[0] == 201


def test_a_stale_cache_has_hit_what_was_told_an_old_answer(around: LenderSurroundings) -> None:
    """Who asks for the first time is answered as ever."""
    fault = made("stale_cache", "risk-1", operation="decide")
    record = around.made.records / "states.risk-1.csv"
    fault.inject(around)
    try:
        asked = {"borrower": 10, "amount_fen": 100}
        counts = []
        for _ in range(3):
            headers = {"X-Draw-Key": "asked-again-1"}
            assert around.made.ask("POST", "/decide", asked, headers, "risk-1")[0] == 200
            counts.append(record.read_text().count("planted,asked-again-1,"))
    finally:
        fault.heal(around)
    assert counts == [0, 1, 2]


def test_what_a_muted_service_does_is_not_written_and_counted(around: LenderSurroundings) -> None:
    fault, made_ = FAULTS["no telemetry"], around.made
    fault.inject(around)
    fault.heal(around)
    states = (made_.records / "states.ledger-1.csv").read_text()
    assert ",condition,mute,began," in states
    assert " rows lost," in states


@pytest.mark.slow
def test_a_browned_out_service_is_well_otherwise(around: LenderSurroundings) -> None:
    reads = made("brownout", "gateway-1", operation="reads")
    writes = made("error", "gateway-1", operation="writes")
    reads.inject(around)
    try:
        assert reads.observe(around).bites is True
        assert writes.observe(around).bites is False
        assert around.made.draw("browned-out-1", borrower=42)[0] == 201
    finally:
        reads.heal(around)


WRONG = [
    (how, target, operation)
    for how in ("malformed", "empty", "contradicting")
    for target, operation in (
        ("bank", "payouts"), ("bank", "close"), ("ledger", "reserve"), ("ledger", "post"),
        ("ledger", "void"), ("risk", "decide"), ("compliance", "check"),
    )
]  # fmt: skip


@pytest.mark.slow
def test_no_wrong_answer_and_no_second_delivery_makes_money_wrong(
    around: LenderSurroundings, tmp_path: Path
) -> None:
    """Every wrong answer at every hop of the path, and every request delivered twice: afterwards
    each draw was paid at most once, and nobody who was refused for certain was paid."""
    with lender(tmp_path / "wronged") as own:
        inside = LenderSurroundings(own)
        told: dict[str, tuple[int, bool]] = {}
        for number, (how, role, operation) in enumerate(WRONG):
            _press(inside, told, f"wrong-{how}-{role}-{operation}", number,
                   [made("wrong_answer", name, how=how, operation=operation)
                    for name in _replicas(role)])  # fmt: skip
        twice = {name: op for role, op in (("bank", "payouts"), ("ledger", "reserve"),
                 ("ledger", "post"), ("gateway", "draws")) for name in _replicas(role)
                 for op in (op,)}  # fmt: skip
        _press(inside, told, "twice", len(WRONG),
               [made("duplicate", n, operation=op) for n, op in twice.items()])  # fmt: skip
        until(lambda: own.control("GET", "/pending")[1]["paying"] == 0, 15)
        books = own.books()
    payouts = [row["draw_key"] for row in rows(books, "payouts")]
    paid = {row["draw_key"] for row in rows(books, "tries") if row["state"] == "paid"}
    assert len(payouts) == len(set(payouts))
    assert set(payouts) == paid
    for key, (status, certain) in told.items():
        assert not (status >= 400 and certain and key in paid), f"{key}: {status}, and paid"
        assert not (status == 201 and key not in paid), f"{key}: granted, and not paid"
    assert sum(status == 201 for status, _ in told.values()) > 4
    assert sum(status != 201 for status, _ in told.values()) > 8


def _replicas(role: str) -> tuple[str, ...]:
    if role == "bank":
        return ("bank.own", "bank.partner-a")
    return (f"{role}-1", f"{role}-2")


def _press(
    inside: LenderSurroundings, told: dict[str, tuple[int, bool]], name: str, number: int,
    faults: list[Fault],
) -> None:  # fmt: skip
    """Two presses under these faults, by people of their own, and what was said to each."""
    for fault in faults:
        fault.inject(inside)
    try:
        for one in range(2):
            key = f"{name}-{one}-key"
            status, body = inside.made.draw(key, borrower=50 + 2 * number + one)
            told[key] = (status, body.get("certain") is True)
    finally:
        for fault in faults:
            fault.heal(inside)


@pytest.mark.parametrize("path", ["draws", "repayments"])
def test_what_has_failed_for_certain_is_not_done_by_its_second_delivery(
    around: LenderSurroundings, path: str
) -> None:
    """A press is shed and the borrower told so; then the network delivers it once more, and the
    lender is well again. Nothing may happen until the borrower presses again. Of all that a draw
    needs only the ledger has nobody who stands in for it."""
    key, whose = f"twice-{path}", {"borrower": 60, "amount_fen": 100}
    body = {**whose, "purpose": "education"} if path == "draws" else whose
    assert around.made.draw("owed-by-60", borrower=60)[0] == 201
    twice = made("duplicate", "gateway-1", operation=path, latency_s=0.4)
    asked = "reserve" if path == "draws" else "repay"
    away = [made("error", name, operation=asked, status=503, certain="on")
            for name in _replicas("ledger")]  # fmt: skip
    pressed = {"Idempotency-Key": key}
    for fault in (twice, *away):
        fault.inject(around)
    try:
        told = around.made.ask("POST", f"/v1/{path}", body, {**pressed, "X-Attempt": "1"})
        assert (told[0], told[1]["certain"]) == (503, True)
    finally:
        for fault in away:
            fault.heal(around)
    record = around.records("gateway-1")
    until(lambda: record.read_text().count(f"{key},1,borrower->gateway") == 2)
    twice.heal(around)
    held = around.made.ask("GET", "/v1/borrowers/60/quota")[1]["outstanding_fen"]
    again = around.made.ask("POST", f"/v1/{path}", body, {**pressed, "X-Attempt": "2"})
    then = around.made.ask("GET", "/v1/borrowers/60/quota")[1]["outstanding_fen"]
    assert again[0] == 201
    assert then - held == (100 if path == "draws" else -100)


def test_parameters_that_do_not_go_together_are_a_mistake_of_the_scenario() -> None:
    with pytest.raises(ScenarioError, match="operation payouts; allowed: one of decide"):
        made("error", "risk-1", operation="payouts")
    with pytest.raises(ScenarioError, match="certain and done"):
        made("error", "risk-1", certain="on", done="on")
    with pytest.raises(ScenarioError, match="p99"):
        made("slow", "risk-1", latency_s=1.0, p99_s=0.5)
    with pytest.raises(ScenarioError, match="a gateway or a bank"):
        made("less_capacity", "risk-1")


def test_a_draw_is_named_by_its_number_in_the_plan() -> None:
    scenario = load_scenario(SMOKE, [], None).scenario
    intents = make_plan(scenario).intents
    at_s = intents[3].due_ns / NS_PER_S
    spec = FaultSpec("x", "service", "error", at_s, 1.0, (("draw", 3),))
    key = draw_key(scenario.seed, 3)
    assert dict(addressed(spec, scenario, intents).params)["draw"] == key
    assert dict(addressed(replace(spec, params=(("draw", key),)), scenario, intents).params) == {
        "draw": key
    }
    with pytest.raises(ScenarioError, match="'3'; allowed: a planned draw: 0 to 2"):
        addressed(spec, scenario, intents[:3])
    with pytest.raises(ScenarioError, match="may be under way meanwhile"):
        addressed(replace(spec, at_s=at_s - 2.0), scenario, intents)


@given(st.floats(SHARE_MIN, 1.0))
def test_a_share_is_told_from_nothing_and_its_middle_is_believed(share: float) -> None:
    calls = probes_for(share)
    assert PROBES_MIN <= calls <= PROBES_MAX
    low, high = interval(calls, share)
    assert 0 < low <= round(calls * share) <= high <= calls
    assert not believed(0, calls, share)
    assert believed(round(calls * share), calls, share)


@given(st.floats(0.05, 5.0), st.floats(1.1, 20.0))
def test_half_of_a_distribution_is_beyond_its_median(median_s: float, spread: float) -> None:
    effect = Effect("late", latency_s=median_s, sigma=math.log(spread))
    assert 0.5 <= effect.later_share <= 1.0
    assert Effect("late", latency_s=median_s).later_share == 1.0
