"""Deployments that go wrong, on a real lender: rollouts with and without a canary, half of one, a
wrong configuration, a migration; and the decisions of a canary by themselves."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ScenarioError, TargetError
from harness.faults.catalogue import build_fault
from harness.faults.deploy import version_at
from harness.faults.fault import Fault
from harness.faults.sample import LENDER, sample_spec
from harness.guardian.undo import perform
from harness.scenario.model import FaultSpec
from mock_lender.cluster.operations import counts_of
from mock_lender.cluster.rollout import Counts, Rollout, Watched, judge
from mock_lender.cluster.version import Version
from mock_lender.resilience.profile import PROFILES, Settings
from tests.books import rows
from tests.fault_life import seen_and_healed, some_daily
from tests.lender_process import TOKEN, Lender, lender, until
from tests.surroundings import LenderSurroundings
from tests.test_hop_client import server

FULL = Settings.of(PROFILES["full"])
WITHOUT_CANARY = tuple(name for name in PROFILES["full"] if name != "canary")


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    folder = tmp_path_factory.mktemp("deployed") / "lender"
    with lender(folder, protections=WITHOUT_CANARY) as made_:
        yield LenderSurroundings(made_)


def made(kind: str, **params: Any) -> Fault:
    """A fault of the family as a scenario would have it, with the defaults of its kind."""
    sample = sample_spec("deploy", kind, LENDER, for_s=20.0)
    given_ = {**dict(sample.params), **params}
    return build_fault(
        FaultSpec(f"deploy: {kind}", "deploy", kind, 0.0, 20.0, tuple(sorted(given_.items())))
    )


@pytest.mark.parametrize("said", [b'{"status": 500}', b"requests_served_total many\n", b"\xff 1\n"])
def test_a_replica_that_tells_nonsense_has_told_nothing(said: bytes) -> None:
    """The supervisor asks it, and must not end with it."""
    head = f"HTTP/1.1 500 X\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    with server(lambda connection: connection.sendall(head + said)) as (address, _):
        assert counts_of(int(address.rpartition(":")[2])) == Counts()


def versions(around: LenderSurroundings, role: str) -> list[str | None]:
    return [version_at(around.replica_address(name)) for name in around.replicas(role)]


FAULTS: Mapping[str, Fault] = {
    "a rollout of errors": made("rollout", target="risk", every_s=0.0),
    "a rollout of nothing wrong": made("rollout", target="gateway", version="sound", every_s=0.0),
    "half a rollout": made("half", target="compliance", version="slow"),
    "a short timeout": made("misconfigured", target="gateway-1", mistake="timeout"),
    "a bank that is not there": made("misconfigured", target="gateway-2", mistake="bank-nowhere"),
    "the other bank": made("misconfigured", target="gateway-2", mistake="bank-swapped"),
    "a pool of one": made("misconfigured", target="ledger-2", mistake="pool"),
    "a migration of draws": made("migration", table="draws"),
    "a migration of borrowers": made("migration", table="borrowers"),
}


@pytest.mark.parametrize("fault", some_daily(FAULTS))
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: Fault) -> None:
    seen_and_healed(around, fault, 8)


def test_the_journals_undo_takes_a_rollout_back(around: LenderSurroundings) -> None:
    fault = FAULTS["a rollout of errors"]
    undo = fault.undo(around)
    fault.inject(around)
    until(lambda: versions(around, "risk") == ["2-errors", "2-errors"], 8)
    (around.made.folder / ".token").write_text(TOKEN)
    assert perform(undo, around.made.folder) is None
    until(lambda: versions(around, "risk") == ["1", "1"], 8)
    assert around.made.draw(f"after-{time.monotonic_ns()}", borrower=20)[0] == 201


def test_half_a_rollout_stays_half(around: LenderSurroundings) -> None:
    fault = made("half", target="risk", version="sound", every_s=0.0)
    fault.inject(around)
    try:
        until(lambda: versions(around, "risk") == ["2-sound", "1"], 6)
        assert around.made.draw(f"half-{time.monotonic_ns()}", borrower=21)[0] == 201
        assert versions(around, "risk") == ["2-sound", "1"]
    finally:
        fault.heal(around)
    until(lambda: versions(around, "risk") == ["1", "1"], 6)


@pytest.mark.slow
def test_a_draw_waits_for_a_migration_and_is_granted_after_it(around: LenderSurroundings) -> None:
    fault = made("migration", table="draws")
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, 3)
        key = f"migrated-{time.monotonic_ns()}"
        status, _ = around.made.draw(key, borrower=22)
        assert status in (503, 504)
    finally:
        fault.heal(around)
        until(lambda: fault.observe(around).bites is False, 5)
    until(lambda: around.made.draw(key, borrower=22)[0] == 201, 8)


@pytest.mark.slow
def test_a_payout_at_the_wrong_bank_is_not_paid_there(tmp_path: Path) -> None:
    """A gateway that has the banks mixed up pays nobody by mistake, and nobody twice."""
    with lender(tmp_path / "lender", protections=WITHOUT_CANARY) as made_:
        inside = LenderSurroundings(made_)
        fault = made("misconfigured", target="gateway-1", mistake="bank-swapped")
        fault.inject(inside)
        until(lambda: fault.observe(inside).bites is True, fault.bites_within_s)
        told = [made_.draw(f"mixed-up-{n}", borrower=30 + n)[0] for n in range(8)]
        fault.heal(inside)
        until(lambda: made_.control("GET", "/pending")[1]["paying"] == 0, 15)
        until(lambda: fault.observe(inside).bites is False, 8)
        books = made_.books()
    assert 201 in told
    paid = {(row["payout_key"], row["tier"]) for row in rows(books, "tries")
            if row["state"] == "paid"}  # fmt: skip
    payouts = {(row["payout_key"], row["bank"].removeprefix("bank.")) for row in
               rows(books, "payouts")}  # fmt: skip
    assert payouts == paid


@contextmanager
def drawing(made_: Lender) -> Iterator[list[int]]:
    """Draws one after the other for the length of a block; what was said to them."""
    told: list[int] = []
    over = threading.Event()

    def draw() -> None:
        while not over.is_set():
            number = len(told)
            gateway = f"gateway-{1 + number % 2}"
            body = {"borrower": 10 + number % 380, "amount_fen": 100, "purpose": "education"}
            key = {"Idempotency-Key": f"watched-{time.monotonic_ns()}"}
            try:
                told.append(made_.ask("POST", "/v1/draws", body, key, gateway=gateway)[0])
            except OSError:  # a gateway that is being renewed
                told.append(0)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("canary", [True, False], ids=["canary", "no canary"])
def test_the_canary_takes_a_bad_version_back_and_nobody_else_does(
    tmp_path: Path, canary: bool
) -> None:
    protections = PROFILES["full"] if canary else WITHOUT_CANARY
    with lender(tmp_path / "lender", protections=protections) as made_:
        inside = LenderSurroundings(made_)
        fault = made("rollout", target="risk", share=0.5, every_s=0.5)
        with drawing(made_):
            fault.inject(inside)
            until(lambda: versions(inside, "risk")[0] == "2-errors", 8)
            if canary:
                until(lambda: versions(inside, "risk") == ["1", "1"], 15)
            else:
                until(lambda: versions(inside, "risk") == ["2-errors", "2-errors"], 15)
            states = (made_.records / "states.supervisor.csv").read_text()
            assert ("rolled back by canary" in states) == canary
            assert ("deploy,risk-2,version 2-errors" in states) != canary
        fault.heal(inside)
        until(lambda: versions(inside, "risk") == ["1", "1"], 8)


@pytest.mark.slow
def test_the_canary_lets_a_sound_version_pass(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made_, drawing(made_):
        inside = LenderSurroundings(made_)
        fault = made("rollout", target="risk", version="sound", every_s=0.5)
        fault.inject(inside)
        until(lambda: versions(inside, "risk") == ["2-sound", "2-sound"], 20)
        fault.heal(inside)
        until(lambda: versions(inside, "risk") == ["1", "1"], 8)


def test_two_deployments_at_once_are_kept_apart(around: LenderSurroundings) -> None:
    first = made("misconfigured", target="risk-2", mistake="timeout")
    second = made("half", target="compliance", version="sound", every_s=0.0)
    first.inject(around)
    second.inject(around)
    try:
        until(lambda: versions(around, "compliance") == ["2-sound", "1"], 6)
        with pytest.raises(TargetError, match="409"):
            made("rollout", target="risk", version="sound").inject(around)
    finally:
        second.heal(around)
    until(lambda: versions(around, "compliance") == ["1", "1"], 6)
    assert versions(around, "risk") == ["1", "1-timeout"]
    first.heal(around)
    until(lambda: versions(around, "risk") == ["1", "1"], 6)


def test_orders_need_the_token_and_sense(around: LenderSurroundings) -> None:
    ask = around.made.control
    assert ask("POST", "/deploy/nobody?version=%7B%7D")[0] == 404
    assert ask("POST", "/deploy/risk?version=%7B%7D&every_s=1&lease_s=1")[0] == 422
    sound = "version=%7B%22name%22%3A%222%22%7D"
    assert ask("POST", f"/deploy/risk?{sound}&every_s=1&lease_s=1&most=9")[0] == 400
    assert ask("POST", f"/deploy/risk?{sound}&every_s=x&lease_s=1")[0] == 400
    assert ask("DELETE", "/deploy/risk")[0] == 404
    assert ask("POST", "/migration/pg_class?hold_s=1")[0] == 404
    assert ask("DELETE", "/migration")[0] == 404
    assert ask("POST", "/loop/risk-9?every_s=1&lease_s=1")[0] == 404
    assert ask("DELETE", "/loop/risk-1")[0] == 404
    assert ask("POST", "/renew/monitor")[0] == 404


def test_a_version_says_what_is_wrong_with_it() -> None:
    for text in ("[]", "{}", '{"name": "2", "colour": 1}', '{"name": "2", "config": {"x": 1}}'):
        with pytest.raises(ValueError, match=r"version has a name|unknown"):
            Version.parse(text)
    with pytest.raises(ScenarioError, match="stale-status is its own"):
        made("rollout", target="risk", version="stale-status")
    with pytest.raises(ScenarioError, match="a ledger, for pool"):
        made("misconfigured", target="gateway-1", mistake="pool")


@given(st.integers(0, 200), st.integers(0, 200), st.booleans(), st.floats(0, 10))
def test_a_canary_goes_back_only_for_what_the_others_do_not_have(
    served: int, bad: int, slow: bool, up_s: float
) -> None:
    """Failed, or slow: each by itself."""
    bad = min(bad, served)
    share = bad / max(1, served)
    canary = Counts(served, 0, bad) if slow else Counts(served, bad)
    others = Counts(1000, 0, round(1000 * share)) if slow else Counts(1000, round(1000 * share))
    alone = judge(Watched(canary, Counts(100), up_s), FULL)
    as_bad = judge(Watched(canary, others, up_s), FULL)
    if served < FULL.canary_calls_min:
        hopeless = not slow and served >= FULL.canary_calls_certain and share > 0.5
        assert alone == ("roll_back" if hopeless else "wait")
        assert as_bad == "wait"
    else:
        assert (alone == "roll_back") == (share > FULL.canary_failed_share)
        assert as_bad == ("next" if up_s >= FULL.canary_watch_s else "wait")


def test_a_rollout_takes_its_time_and_ends() -> None:
    rollout = Rollout(["a", "b", "c"], 2.0, watching=False, settings=FULL)
    found = []
    for now_s in range(1, 8):
        decision = rollout.decide(float(now_s), None)
        if decision == "next":
            rollout.gave(float(now_s))
        found.append(decision)
    assert found == ["next", "wait", "next", "wait", "next", "done", "done"]
