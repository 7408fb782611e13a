"""Faults of a replica's process, on a real lender: slow to start, killed again and again, its core
burnt, its clock wrong."""

import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from harness.faults.catalogue import build_fault
from harness.faults.fault import Fault
from harness.faults.inside import parse_skew_s, told_clock_ns
from harness.faults.sample import LENDER, sample_spec
from harness.guardian.undo import perform
from harness.scenario.model import FaultSpec
from tests.fault_life import some_daily, undone_by_the_journal
from tests.lender_process import TOKEN, lender, until
from tests.surroundings import LenderSurroundings


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    with lender(tmp_path_factory.mktemp("processes") / "lender") as made_:
        yield LenderSurroundings(made_)


def made(kind: str, target: str, for_s: float = 20.0, **params: Any) -> Fault:
    """A fault of the family as a scenario would have it, with the defaults of its kind."""
    sample = sample_spec("process", kind, LENDER, for_s=for_s)
    given = {**dict(sample.params), "target": target, **params}
    name = f"process: {kind} {target}"
    return build_fault(FaultSpec(name, "process", kind, 0.0, for_s, tuple(sorted(given.items()))))


FAULTS: Mapping[str, Fault] = {
    "a ledger slow to start": made("slow_start", "ledger-1"),
    "a risk slow to start": made("slow_start", "risk-2"),
    "a gateway again and again": made("restart_loop", "gateway-2", every_s=0.5),
    "half a core": made("cpu_burn", "compliance-1", share=0.5),
    "a clock ahead": made("clock_skew", "risk-1", skew_s=3600.0),
    "a clock behind": made("clock_skew", "bank.own", skew_s=-2.0),
}


@pytest.mark.parametrize("fault", some_daily(FAULTS))
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: Fault) -> None:
    undo = fault.undo(around)
    assert fault.observe(around).bites is not True
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
    finally:
        fault.heal(around)
    until(lambda: fault.observe(around).bites is False, 8)
    (around.made.folder / ".token").write_text(TOKEN)
    assert perform(undo, around.made.folder) is None
    status, _ = around.made.draw(f"after-{time.monotonic_ns()}", borrower=20)
    assert status == 201


@pytest.mark.parametrize("name", ["a risk slow to start", "half a core", "a clock behind"])
def test_the_journals_undo_heals_as_well(around: LenderSurroundings, name: str) -> None:
    undone_by_the_journal(around, FAULTS[name])


def test_a_slow_start_that_is_healed_before_it_has_begun_never_does(
    around: LenderSurroundings,
) -> None:
    fault = FAULTS["a risk slow to start"]
    fault.inject(around)
    fault.heal(around)
    pid, _ = around.replica_pid("risk-2")
    until(lambda: around.replica_pid("risk-2")[0] != pid, 5)
    until(lambda: fault.observe(around).bites is False, 5)


@pytest.mark.slow
def test_a_restart_loop_kills_more_than_once_and_ends_by_itself(
    around: LenderSurroundings,
) -> None:
    fault = made("restart_loop", "risk-1", for_s=-3.0, every_s=0.5)  # two seconds with the margin
    pids = {around.replica_pid("risk-1")[0]}
    fault.undo(around)
    fault.inject(around)

    def killed_often() -> bool:
        pids.add(around.replica_pid("risk-1")[0])
        return len(pids) > 3

    until(killed_often, 5)
    until(lambda: fault.observe(around).bites is False, 10)
    assert around.made.control("DELETE", "/loop/risk-1")[0] == 404


def test_nobody_is_told_of_an_unready_replica_that_it_failed(around: LenderSurroundings) -> None:
    """The calls of a lender that has another replica go to that."""
    fault = FAULTS["a ledger slow to start"]
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
        told = [around.made.draw(f"unready-{n}-{time.monotonic_ns()}", borrower=30 + n)[0]
                for n in range(6)]  # fmt: skip
    finally:
        fault.heal(around)
    until(lambda: fault.observe(around).bites is False, 5)
    assert told == [201] * 6


def test_a_service_whose_clock_jumps_serves_on(around: LenderSurroundings) -> None:
    faults = [made("clock_skew", name, skew_s=-3600.0) for name in ("gateway-1", "ledger-1")]
    for fault in faults:
        fault.inject(around)
    try:
        told_ns = told_clock_ns(around.replica_address("gateway-1"))
        assert told_ns is not None
        assert abs(told_ns - time.monotonic_ns() + 3600 * 10**9) < 10**9
        status, _ = around.made.draw(f"skewed-{time.monotonic_ns()}", 40, X_Deadline_Ms="5000")
        assert status == 201
    finally:
        for fault in faults:
            fault.heal(around)


def test_a_skew_has_a_sign() -> None:
    assert parse_skew_s("2s") == 2.0
    assert parse_skew_s("-1.5s") == -1.5
    for wrong in ("0s", "3", 3, "- ", "2h"):
        with pytest.raises(ValueError, match="a duration"):
            parse_skew_s(wrong)


def test_a_process_that_is_busy_is_not_frozen(around: LenderSurroundings) -> None:
    """Silent for long is also who works off what has waited for it: only the kernel can tell."""
    deaf = socket.create_server(("127.0.0.1", 0))

    class Busy(LenderSurroundings):
        def replica_address(self, replica: str) -> tuple[str, int]:
            host, port = deaf.getsockname()
            return host, port

    with deaf:
        assert made("freeze", "gateway-1").observe(Busy(around.made)).bites is False
