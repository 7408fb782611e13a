"""Each fault of the lender's processes, databases and services, on a real lender.

Injected, seen from outside within its own bound, healed, seen gone; and never seen where nothing
was injected.
"""

import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import pytest

from harness.faults.database import DatabaseFreeze, DatabaseKill
from harness.faults.fault import Fault
from harness.faults.process import ProcessFreeze
from harness.faults.service import Effect, Kind, ServiceFault
from harness.guardian.undo import perform
from tests.books import rows
from tests.fault_life import some_daily
from tests.lender_process import TOKEN, Lender, lender, until
from tests.surroundings import LenderSurroundings


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    with lender(tmp_path_factory.mktemp("faulted") / "lender") as made:
        yield LenderSurroundings(made)


def service(kind: Kind, target: str = "bank.own", **changes: Any) -> ServiceFault:
    """A fault of all payouts of a bank, changed; what is of its effect goes there."""
    late = {"latency_s": 0.6} if "late" in kind else {}
    of_effect = {f.name for f in fields(Effect)} & set(changes)
    effect = Effect(kind, **(late | {name: changes.pop(name) for name in of_effect}))
    given: dict[str, Any] = {
        "operation": "payouts", "share": 1.0, "nth": 0, "draw": "", "for_s": 20.0,
        "name": f"{kind} {target}",
    } | changes  # fmt: skip
    return ServiceFault(target=target, effect=effect, **given)


HEALED: Mapping[str, Fault] = {
    "freeze a gateway": ProcessFreeze("gateway-2", "freeze"),
    "freeze a bank": ProcessFreeze("bank.own", "freeze"),
    "late work": service("late"),
    "late replies": service("late_reply"),
    "lost replies": service("lost_reply"),
    "silence": service("lost_reply", silent=True),
    "a share": service("lost_reply", share=0.2),
    "the second call": service("lost_reply", nth=2),
    "a ledger's posting": service("lost_reply", "ledger-1", operation="post"),
    "a ledger's reserve": service("late_reply", "ledger-2", operation="reserve"),
}


@pytest.mark.parametrize("fault", some_daily(HEALED))
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: Fault) -> None:
    assert fault.observe(around).bites is not True
    undo = fault.undo(around)
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
    finally:
        fault.heal(around)
    until(lambda: fault.observe(around).bites is False, 5)
    (around.made.folder / ".token").write_text(TOKEN)
    assert perform(undo, around.made.folder) is None  # nothing left to undo is no trouble


@pytest.mark.parametrize("fault", some_daily(HEALED))
def test_the_journals_undo_heals_as_well(around: LenderSurroundings, fault: Fault) -> None:
    undo = fault.undo(around)
    fault.inject(around)
    (around.made.folder / ".token").write_text(TOKEN)
    assert perform(undo, around.made.folder) is None
    until(lambda: fault.observe(around).bites is False, 5)


def test_late_work_is_done_though_its_caller_has_hung_up(around: LenderSurroundings) -> None:
    fault, made = service("late"), around.made
    bank = made.service("bank.own")
    body = json.dumps({"payout_key": "late-key", "draw_key": "late", "amount_fen": 100})
    fault.inject(around)
    try:
        caller = http.client.HTTPConnection(bank.host, bank.port, timeout=0.2)
        caller.request("POST", "/payouts", body, {"Content-Type": "application/json"})
        with pytest.raises(TimeoutError):
            caller.getresponse()
        caller.close()
        asked = ("GET", "/payouts/late-key")
        assert made.ask(*asked, gateway="bank.own")[1]["state"] == "not_paid"
        until(lambda: made.ask(*asked, gateway="bank.own")[1]["state"] == "paid", 5)
    finally:
        fault.heal(around)


DATABASES: Mapping[str, Fault] = {
    "the primary killed": DatabaseKill("primary", "kill"),
    "the standby killed": DatabaseKill("standby", "kill"),
    "the primary frozen": DatabaseFreeze("primary", "freeze"),
    "the standby frozen": DatabaseFreeze("standby", "freeze"),
}


@pytest.mark.parametrize("fault", some_daily(DATABASES, 1))
def test_a_database_is_hit_and_the_lender_gets_over_it(
    around: LenderSurroundings, fault: Fault
) -> None:
    until(around.copied, 20)
    epoch = around.database("primary").epoch
    fault.undo(around)
    fault.inject(around)
    until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
    if fault.healer == "nemesis":
        # Long enough for the lender to have given it up: it is woken into another world.
        until(lambda: not around.copied() or around.database("primary").epoch > epoch, 10)
        fault.heal(around)
    until(lambda: fault.observe(around).bites is False, 10)
    until(around.copied, 20)
    role = "primary" if "primary" in str(getattr(fault, "role", "")) else "standby"
    assert around.database("primary").epoch == epoch + (role == "primary")
    status, _ = around.made.draw(f"after-{role}-{time.monotonic_ns()}", borrower=100)
    assert status == 201


def test_a_lease_ends_by_itself(around: LenderSurroundings) -> None:
    fault = service("lost_reply", for_s=-4.5, name="a short lease")  # half a second with the margin
    fault.inject(around)
    until(lambda: fault.observe(around).bites is False, 5)
    status, _ = around.made.ask(
        "DELETE", "/control/faults/a%20short%20lease", headers={"X-Token": TOKEN},
        gateway="bank.own",
    )  # fmt: skip
    assert status == 404


@pytest.mark.slow
def test_each_of_two_faults_is_seen_by_what_it_does_itself(around: LenderSurroundings) -> None:
    late, lost = service("late", share=1.0), service("lost_reply", share=1.0)
    late.inject(around)
    try:
        assert late.observe(around).bites is True
        assert lost.observe(around).bites is False
        lost.inject(around)
        assert lost.observe(around).bites is True
        lost.heal(around)
        assert lost.observe(around).bites is False
        assert late.observe(around).bites is True
    finally:
        late.heal(around)


def test_planting_needs_the_token_and_sense(around: LenderSurroundings) -> None:
    path = "/control/faults/x"
    assert around.made.ask("PUT", path, {}, gateway="bank.own")[0] == 403
    assert around.made.ask("PUT", path, {}, {"X-Token": "guess"}, gateway="bank.own")[0] == 403
    nonsense: list[object] = [
        {}, [], {"kind": "explode", "operation": "payouts", "share": 1, "latency_s": 0,
                 "silent": False, "nth": 0, "lease_s": 1},
    ]  # fmt: skip
    for body in nonsense:
        found, _ = around.made.ask("PUT", path, body, {"X-Token": TOKEN}, gateway="bank.own")
        assert found == 422
    assert around.made.ask("GET", path, headers={"X-Token": TOKEN})[0] == 405


def test_a_lost_reply_has_done_its_work(around: LenderSurroundings) -> None:
    """The bank pays, the gateway never hears of it; the sweeper does, and nothing is paid twice."""
    faults = [service("lost_reply", bank, silent=False) for bank in ("bank.own", "bank.partner-a")]
    for fault in faults:
        fault.inject(around)
    try:
        status, problem = around.made.draw("lost-reply-1", borrower=120, amount_fen=700)
        assert (status, problem["reason"], problem["certain"]) == (504, "unknown", False)
    finally:
        for fault in faults:
            fault.heal(around)
    until(lambda: around.made.ask("GET", "/v1/draws/lost-reply-1")[0] == 200, 8)
    assert around.made.draw("lost-reply-1", borrower=120, amount_fen=700)[0] == 201
    assert around.made.ask("GET", "/v1/borrowers/120/quota")[1]["outstanding_fen"] == 700


def test_a_gateway_frozen_between_reserve_and_payout_pays_nothing_that_was_voided(
    around: LenderSurroundings,
) -> None:
    """Its reserve is committed and the answer is on its way when it stops; the sweeper closes the
    key and voids; woken, it goes on to pay and its bank refuses."""
    made: Lender = around.made
    late = [service("late_reply", name, operation="reserve", latency_s=1.0, name=f"late {name}")
            for name in ("ledger-1", "ledger-2")]  # fmt: skip
    freeze = ProcessFreeze("gateway-1", "freeze")
    with ThreadPoolExecutor(1) as pool:
        for fault in late:
            fault.inject(around)
        press = pool.submit(_press_without_a_deadline, made)
        until(lambda: made.control("GET", "/pending")[1]["paying"] == 1)
        freeze.inject(around)
        try:
            until(lambda: made.control("GET", "/pending")[1]["paying"] == 0, 10)
        finally:
            freeze.heal(around)
            for fault in late:
                fault.heal(around)
        status, _ = press.result()
    assert status in (201, 409, 503, 504)  # a next try on another tier may well be paid
    final = made.draw("frozen-gateway-1", borrower=130, amount_fen=900)
    assert final[0] == 201
    assert made.ask("GET", "/v1/borrowers/130/quota")[1]["outstanding_fen"] == 900


def test_a_draw_that_was_given_up_is_not_paid_by_a_press_that_was_held_up(
    around: LenderSurroundings,
) -> None:
    """The press lies in a frozen gateway that has not read it; its borrower is told by the other
    one that nothing is paid, not for certain, closes the draw, and is told so for certain."""
    made: Lender = around.made
    freeze = ProcessFreeze("gateway-1", "freeze")
    with ThreadPoolExecutor(1) as pool:
        freeze.inject(around)
        try:
            press = pool.submit(made.draw, "held-up-1", 131, 900)
            status, said = made.ask("GET", "/v1/draws/held-up-1", gateway="gateway-2")
            assert (status, said["certain"]) == (404, False)
            status, said = made.close("held-up-1", 131, 900, gateway="gateway-2")
            assert (status, said["outcome"]) == (200, "closed")
        finally:
            freeze.heal(around)
        assert press.result()[0] == 410
    assert made.ask("GET", "/v1/borrowers/131/quota")[1]["outstanding_fen"] == 0


def test_nothing_paid_so_far_is_not_certain(around: LenderSurroundings) -> None:
    """A try has ended, and a press may be on its way that begins the next one."""
    made: Lender = around.made
    faults = [service("error", bank, status=500) for bank in ("bank.own", "bank.partner-a")]
    for fault in faults:
        fault.inject(around)
    try:
        assert made.draw("so-far-1", borrower=132)[0] >= 500
        until(lambda: made.ask("GET", "/v1/draws/so-far-1")[1].get("reason") == "voided", 10)
        status, said = made.ask("GET", "/v1/draws/so-far-1")
        assert (status, said["certain"]) == (503, False)
    finally:
        for fault in faults:
            fault.heal(around)
    assert made.draw("so-far-1", borrower=132)[0] == 201


def _press_without_a_deadline(made: Lender) -> tuple[int, dict[str, Any]]:
    return made.draw("frozen-gateway-1", borrower=130, amount_fen=900)


def test_the_books_of_all_of_this_agree(around: LenderSurroundings) -> None:
    """Last in this module: it ends the services."""
    books = around.made.books()
    draws = (books / "draws.csv").read_text()
    assert "lost-reply-1" in draws
    paid = {row["payout_key"] for row in rows(books, "tries") if row["state"] == "paid"}
    payouts = {row["payout_key"] for row in rows(books, "payouts")}
    assert len(paid) >= 3  # of the tests that every run has
    # One payout was asked of a bank by a test itself, and by no draw.
    assert paid < payouts
    assert len(payouts - paid) == 1
    assert os.path.getsize(books / "postings.csv") > 0
