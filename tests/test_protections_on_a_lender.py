"""Protections on a real lender: what each is there for happens without it, and not with it."""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.faults.deploy import NOBODY
from mock_lender.cluster.config import CapacityConfig, TierConfig
from mock_lender.resilience.money import HOLDS_S, MINUTE_S
from mock_lender.resilience.profile import PROFILES
from tests.books import rows
from tests.lender_process import TOKEN, Lender, lender, until
from tests.surroundings import LenderSurroundings
from tests.test_deployments import made as deployment

SWITCHED = pytest.mark.parametrize("on", [True, False], ids=["on", "off"])


def full(*, without: str | None, canary: bool = False) -> tuple[str, ...]:
    """The profile full, and one protection less; no canary, unless it is what is looked at."""
    left = (without, None if canary else "canary")
    return tuple(name for name in PROFILES["full"] if name not in left)


def ready(made: Lender, name: str) -> bool:
    return made.ask("GET", "/readyz", gateway=name)[0] == 200


def metrics(made: Lender, name: str) -> dict[str, float]:
    service = made.service(name)
    address = f"http://{service.host}:{service.port}/metrics"
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in _text(address).splitlines()
    }


def _text(address: str) -> str:
    from urllib.request import urlopen

    with urlopen(address, timeout=5) as answer:  # noqa: S310  loopback
        found: bytes = answer.read()
    return found.decode()


def press(made: Lender, gateway: str, number: int, word: str) -> tuple[int, dict[str, Any]]:
    body = {"borrower": 10 + number % 380, "amount_fen": 100, "purpose": "education"}
    headers = {"Idempotency-Key": f"{word}-{number:06d}", "X-Deadline-Ms": "3000"}
    return made.ask("POST", "/v1/draws", body, headers, gateway=gateway)


@pytest.mark.parametrize(
    "on", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["on", "off"]
)
def test_who_is_too_many_is_told_at_once_and_when_to_come_back(tmp_path: Path, on: bool) -> None:
    """Two slots, thirty draws at once, and each takes a third of a second."""
    capacity = CapacityConfig(2, 8, 40, 0.3)
    protections = full(without=None if on else "admission")
    with lender(tmp_path / "lender", protections=protections, capacity=capacity) as made:

        def timed(number: int) -> tuple[int, float, dict[str, Any]]:
            began_s = time.monotonic()
            status, body = press(made, "gateway-1", number, "rush")
            return status, time.monotonic() - began_s, body

        with ThreadPoolExecutor(30) as pool:
            told = list(pool.map(timed, range(30)))
        shed = [(took_s, body) for status, took_s, body in told if status == 503]
        assert (201 in {status for status, _, _ in told}) is True
        if not on:
            # They wait as long as their deadline lets them, in the order in which they came.
            assert min([took_s for took_s, _ in shed], default=9.0) > 0.5
            return
        assert len(shed) >= 20
        assert all(body["certain"] and body["reason"] == "shed" for _, body in shed)
        assert all(400 <= body["retry_after_ms"] <= 1600 for _, body in shed)
        assert sorted(took_s for took_s, _ in shed)[len(shed) // 2] < 0.2
        assert metrics(made, "gateway-1")['shed_total{operation="draws"}'] == len(shed)


@pytest.mark.slow
@SWITCHED
def test_a_gateway_that_misreads_amounts_pays_nobody(tmp_path: Path, on: bool) -> None:
    protections = full(without=None if on else "handshake")
    with lender(tmp_path / "lender", protections=protections) as made:
        around = LenderSurroundings(made)
        fault = deployment("half", target="gateway", version="misread-amount", every_s=0.0)
        fault.inject(around)
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
        told = Counter(press(made, "gateway-1", n, "misread")[0] for n in range(10))
        beside = {press(made, "gateway-2", n, "well")[0] for n in range(100, 104)}
        unready = not ready(made, "gateway-1")
        fault.heal(around)
        until(lambda: fault.observe(around).bites is False, 8)
        until(lambda: made.control("GET", "/pending")[1]["paying"] == 0, 15)
        paid = Counter(int(row["amount_fen"]) for row in rows(made.books(), "payouts"))
    assert beside == {201}
    if on:
        assert (told, unready) == (Counter({503: 10}), True)
        assert set(paid) == {100}
    else:
        assert paid[1000] == told[201] == 10


@pytest.mark.slow
@SWITCHED
def test_no_more_money_leaves_a_tier_than_its_bound(tmp_path: Path, on: bool) -> None:
    """20 yuan a minute: one at once, and each draw is one."""
    tiers = (TierConfig("own", "bank.own", 1.0, 10**12, money_bound_fen=2_000),)
    protections = full(without=None if on else "money_bound")
    with lender(tmp_path / "lender", protections=protections, tiers=tiers) as made:
        began_s = time.monotonic()
        told = Counter(press(made, "gateway-1", n, "flood")[0] for n in range(12))
        took_s = time.monotonic() - began_s
        said = metrics(made, "bank.own")
        states = (made.records / "states.bank.own.csv").read_text()
        books = made.books()
        paid_fen = [int(row["amount_fen"]) for row in rows(books, "payouts")]
        voided = [row for row in rows(books, "tries") if row["state"] == "voided"]
    assert paid_fen == [100] * told[201]
    if on:
        assert 1 <= told[201] < 12
        assert sum(paid_fen) <= 2_000 / MINUTE_S * (HOLDS_S + took_s)
        # As often as the bank was asked: where there is one tier, it is asked again.
        assert said["money_refused_total"] == len(voided) >= 12 - told[201]
        assert "money_bound,bank.own,tripped" in states
    else:
        assert told == {201: 12}


@pytest.mark.slow
@SWITCHED
def test_a_site_without_a_way_to_the_banks_says_so_before_it_is_needed(
    tmp_path: Path, on: bool
) -> None:
    nowhere = {f"gateway-2->bank.{tier}": NOBODY for tier in ("own", "partner-a")}
    protections = full(without=None if on else "second_site")
    with lender(tmp_path / "lender", protections=protections, edges=nowhere) as made:
        if on:
            until(lambda: not ready(made, "gateway-2"), 5)
            status, body = press(made, "gateway-2", 1, "rescue")
            assert (status, body["hop"], body["certain"]) == (503, "bank.own", True)
            assert 'calls_total{to="ledger"}' not in metrics(made, "gateway-2")
            states = (made.records / "states.gateway-2.csv").read_text()
            assert "alert,site b,no way to any bank" in states
            assert made.ask("GET", "/v1/borrowers/11/quota", gateway="gateway-2")[0] == 200
        else:
            status, body = press(made, "gateway-2", 1, "rescue")
            assert (status, body["reason"]) == (503, "unreachable")
            assert 'calls_total{to="ledger"}' in metrics(made, "gateway-2")
            assert ready(made, "gateway-2")
        assert ready(made, "gateway-1")
        assert press(made, "gateway-1", 2, "rescue")[0] == 201


@pytest.mark.slow
@SWITCHED
def test_a_gray_replica_is_left_out_by_its_times_alone(tmp_path: Path, on: bool) -> None:
    """A third of a second is slow, and no failure: no breaker opens for it."""
    protections = full(without=None if on else "failover")
    with lender(tmp_path / "lender", protections=protections) as made:
        for number in range(80):
            assert press(made, "gateway-2", number, "before")[0] == 201
        around = LenderSurroundings(made)
        url, token = around.service_api("ledger-2")
        body = {"kind": "late", "operation": "writes", "share": 1, "lease_s": 60, "latency_s": 0.3}
        status, _ = made.ask(
            "PUT", "/control/faults/gray", body, {"X-Token": token}, gateway="ledger-2"
        )
        assert (status, bool(url), token) == (201, True, TOKEN)
        states = made.records / "states.gateway-2.csv"
        began_s, slow = time.monotonic(), 0
        for number in range(30):
            pressed_s = time.monotonic()
            assert press(made, "gateway-2", number, "after")[0] == 201
            slow += time.monotonic() - pressed_s > 0.25
        out = "ejection,ledger-2,out" in states.read_text()
    assert out == on
    assert (slow <= 12) == on, time.monotonic() - began_s


@pytest.mark.slow
@SWITCHED
def test_a_service_that_is_down_is_asked_a_fifth_more_often_at_most(
    tmp_path: Path, on: bool
) -> None:
    """Of tries and calls, as gateways count them; what is saved up at the start left out. Nothing
    stands in for the service."""
    whole = full(without=None if on else "retry_budget")
    protections = tuple(name for name in whole if name != "last_verdict")
    with lender(tmp_path / "lender", protections=protections) as made:
        for name in ("risk-1", "risk-2"):
            os.kill(made.service(name).pid, signal.SIGKILL)
        told = Counter(press(made, "gateway-1", n, "down")[0] for n in range(60))
        said = metrics(made, "gateway-1")
    assert set(told) == {503}
    ratio = said['tries_total{to="risk"}'] / said['calls_total{to="risk"}']
    assert (ratio <= 1.2 + 7 / 60) == on, ratio
