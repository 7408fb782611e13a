"""Faults of what others do in the lender's database, on a real one: each is seen from outside, and
felt by borrowers; each ends by its heal, by the journal alone, and by its lease.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TargetError
from harness.faults import console
from harness.faults.database_sessions import ConnectionsTaken, FlushSlow, RowLocked, StandbyLag
from harness.faults.fault import LEASE_MARGIN_S, Fault
from mock_lender.console.hold import RefusedError
from mock_lender.console.sessions import rows_of
from tests.books import assert_at_rest, rows
from tests.fault_life import gone, seen_and_healed, some_daily, undone_by_the_journal
from tests.lender_process import TOKEN, lender, until
from tests.surroundings import LenderSurroundings

FAULTS: Mapping[str, Fault] = {
    "connections": ConnectionsTaken(True, 30.0, "database: connections"),
    "connections left to the lender": ConnectionsTaken(False, 30.0, "database: some connections"),
    "a tier": RowLocked("tier:own", 30.0, "database: lock"),
    "a slice": RowLocked("tier:partner-a/3", 30.0, "database: row_lock tier:partner-a/3 #2"),
    "a borrower": RowLocked("borrower:17", 30.0, "database: lock borrower"),
    "late flushes": FlushSlow(0.08, 30.0, "database: flush"),
    "a late standby": StandbyLag(0.3, 30.0, "database: lag"),
}


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    with lender(tmp_path_factory.mktemp("database") / "lender") as made:
        (made.folder / ".token").write_text(TOKEN)
        yield LenderSurroundings(made)


@pytest.mark.parametrize("fault", some_daily(FAULTS))
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: Fault) -> None:
    seen_and_healed(around, fault)


EACH_KIND = ("connections", "a borrower", "late flushes", "a late standby")


@pytest.mark.parametrize("name", EACH_KIND)
def test_the_journals_undo_heals_as_well(around: LenderSurroundings, name: str) -> None:
    undone_by_the_journal(around, FAULTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_KIND)
def test_a_lease_ends_it_when_nobody_comes_back(around: LenderSurroundings, name: str) -> None:
    fault = replace(FAULTS[name], for_s=1.5 - LEASE_MARGIN_S)  # type: ignore[type-var]
    fault.inject(around)
    gone(around, fault)
    until(lambda: console.look(around, "/holds") == {"holds": []}, 3)


@pytest.mark.slow
def test_late_flushes_are_seen_however_busy_the_primary_is(around: LenderSurroundings) -> None:
    """A commit of ours that joins another's flush is early; all looks are believed all the same."""
    fault, over = FAULTS["late flushes"], threading.Event()

    def press(worker: int) -> int:
        number = 0
        while not over.is_set():
            number += 1
            around.made.draw(f"busy-{worker}-{number:04d}", borrower=100 + worker)
        return number

    fault.inject(around)
    with ThreadPoolExecutor(8) as pool:
        try:
            presses = [pool.submit(press, worker) for worker in range(8)]
            seen = [fault.observe(around) for _ in range(12)]
        finally:
            over.set()
            fault.heal(around)
        pressed = sum(one.result() for one in presses)
    assert pressed > 12
    assert [one.detail for one in seen if one.bites is not True] == []


def pressed_s(around: LenderSurroundings, key: str, borrower: int) -> tuple[int, float]:
    began_s = time.monotonic()
    status, _ = around.made.draw(key, borrower=borrower)
    return status, time.monotonic() - began_s


def test_a_held_lock_is_waited_for_and_nothing_is_lost(around: LenderSurroundings) -> None:
    """The press waits as long as the lock is held, and is granted then."""
    fault = RowLocked("borrower:40", 30.0, "waited for")
    fault.inject(around)
    with ThreadPoolExecutor(1) as pool:
        try:
            press = pool.submit(around.made.draw, "locked-out-1", 40)
            until(lambda: around.made.ask("GET", "/v1/borrowers/41/quota")[0] == 200)
            assert around.made.draw("not-locked-out", borrower=41)[0] == 201
            assert not press.done()
        finally:
            fault.heal(around)
        press.result()
    until(lambda: around.made.draw("locked-out-1", borrower=40)[0] == 201, 10)
    assert around.made.ask("GET", "/v1/borrowers/40/quota")[1]["outstanding_fen"] == 100


def test_without_a_connection_nobody_is_granted_anything(around: LenderSurroundings) -> None:
    fault = ConnectionsTaken(True, 30.0, "none left")
    fault.inject(around)
    try:
        until(lambda: around.made.draw("no-connection", borrower=50)[0] in (503, 504))
    finally:
        fault.heal(around)
    until(lambda: around.made.draw("no-connection", borrower=50)[0] == 201, 10)
    assert around.made.ask("GET", "/v1/borrowers/50/quota")[1]["outstanding_fen"] == 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "late_s"),
    [(FlushSlow(0.1, 30.0, "felt flush"), 0.15), (StandbyLag(0.4, 30.0, "felt lag"), 0.3)],
    ids=["flush", "lag"],
)
def test_slow_commits_are_felt_by_borrowers(
    around: LenderSurroundings, fault: Fault, late_s: float
) -> None:
    """A draw has two commits, one after the other; of some draws at least one meets a pulse."""
    fault.inject(around)
    try:
        took = [pressed_s(around, f"{fault.name}-{n}".replace(" ", "-"), 60 + n) for n in range(6)]
    finally:
        fault.heal(around)
    assert {status for status, _ in took} == {201}
    assert max(seconds for _, seconds in took) > late_s
    assert around.copied()


@pytest.mark.slow
def test_a_standby_that_lags_for_too_long_is_given_up(around: LenderSurroundings) -> None:
    """The receiver that was stopped is woken, whatever the lender has done to it meanwhile."""
    console.take(around, "too long", {"kind": "lag", "lag_s": 6.0, "lease_s": 30.0})
    try:
        until(lambda: not around.copied(), 5)
    finally:
        console.release(around, "too long")
    until(around.copied, 20)
    assert around.made.draw("after-a-long-lag", borrower=70)[0] == 201


def test_what_makes_no_sense_is_refused_and_takes_nothing(around: LenderSurroundings) -> None:
    nonsense: list[dict[str, object]] = [
        {"kind": "explode", "lease_s": 1.0},
        {"kind": "lock", "account": "tier:own' OR true --", "lease_s": 1.0},
        {"kind": "lock", "account": "borrower:999999", "lease_s": 1.0},
        {"kind": "flush", "delay_s": 0.2, "lease_s": 1.0},
        {"kind": "drain", "tier": "nobody", "share": 1.0, "lease_s": 1.0},
        {"kind": "connections", "pooled": True},
        {"kind": "connections", "pooled": True, "lease_s": 1e9},
        {"kind": "rules", "lease_s": 1.0, "entries": [{"kind": "gravity"}]},
    ]
    for body in nonsense:
        with pytest.raises(TargetError, match="refused"):
            console.take(around, "nonsense", body)
    assert console.look(around, "/holds") == {"holds": []}
    for headers in ({}, {"X-Token": "guess"}):
        assert around.made.ask("GET", "/holds", headers=headers, gateway="console-1")[0] == 403


def test_the_books_of_all_of_this_agree(around: LenderSurroundings) -> None:
    """Last in this module: it ends the services."""
    until(lambda: around.made.control("GET", "/pending")[1].get("paying") == 0, 15)
    books = around.made.books()
    assert_at_rest(books)
    paid = {row["draw_key"] for row in rows(books, "draws") if row["state"] == "paid"}
    assert {"locked-out-1", "no-connection"} <= paid


@given(st.text(max_size=30))
def test_no_account_becomes_anything_but_a_lock(account: str) -> None:
    """What is not an account's name is refused before it comes near a statement."""
    try:
        statement = rows_of(account)
    except RefusedError:
        return
    assert statement.endswith("FOR UPDATE")
    assert ";" not in statement
    assert statement.count("'") in (0, 2)


def test_a_name_of_an_account_is_read() -> None:
    assert rows_of("borrower:17").endswith("borrower = 17 FOR UPDATE")
    assert "tier = 'own' AND slice = 3" in rows_of("tier:own/3")
