"""The lender as borrowers and operators meet it: real processes, a real database."""

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from mock_lender.cluster.config import CapacityConfig
from tests.books import rows
from tests.lender_process import LIMIT_FEN, Lender, lender, until


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    with lender(tmp_path_factory.mktemp("full") / "lender") as made:
        yield made


def test_a_grant_is_replayed_and_can_be_asked_for(full: Lender) -> None:
    status, first = full.draw("replay-0001", amount_fen=500)
    assert (status, first["outcome"]) == (201, "granted")
    assert full.draw("replay-0001", amount_fen=500) == (201, first)
    status, polled = full.ask("GET", "/v1/draws/replay-0001", gateway="gateway-2")
    assert (status, polled) == (200, first)


def test_the_same_key_for_another_draw_is_refused(full: Lender) -> None:
    assert full.draw("reused-0001", amount_fen=500)[0] == 201
    status, problem = full.draw("reused-0001", amount_fen=501)
    assert (status, problem["reason"], problem["final"]) == (422, "key-reused", False)


@pytest.mark.parametrize(
    ("borrower", "amount_fen", "purpose", "cause", "reason"),
    [
        (11, LIMIT_FEN + 1, "education", "quota", "over-quota"),
        (12, 100, "securities", "compliance", "purpose-barred"),
        (3, 100, "education", "risk", "delinquent"),
        (2, 100, "education", "compliance", "barred"),
        (99_999, 100, "education", "compliance", "barred"),
    ],
)
def test_final_refusals_are_stored_and_replayed(
    full: Lender, borrower: int, amount_fen: int, purpose: str, cause: str, reason: str
) -> None:
    key = f"refused-{reason}-{borrower}"
    first = full.draw(key, borrower, amount_fen, purpose)
    assert first[0] == 403
    assert (first[1]["cause"], first[1]["reason"], first[1]["final"]) == (cause, reason, True)
    assert first[1]["detail_zh"]
    assert full.draw(key, borrower, amount_fen, purpose) == first
    assert full.ask("GET", f"/v1/draws/{key}")[0] == 403


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 422),
        (b'{"borrower":1,"amount_fen":0,"purpose":"education"}', {}, 422),
        (b'{"borrower":1,"amount_fen":1.5,"purpose":"education"}', {}, 422),
        (b'{"borrower":true,"amount_fen":1,"purpose":"education"}', {}, 422),
        (b'{"borrower":1,"amount_fen":1,"purpose":"<script>"}', {}, 422),
        (b'{"borrower":1,"amount_fen":1,"purpose":"education","x":1}', {}, 422),
        (b'{"borrower":1,"amount_fen":99999999999999999999,"purpose":"education"}', {}, 422),
        (b"x" * 100_000, {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Idempotency-Key": "a'; --"}, 400),
        (b"{}", {"Idempotency-Key": ""}, 400),
        (b"{}", {"X-Deadline-Ms": "soon"}, 400),
        (b"{}", {"X-Deadline-Ms": "1_000"}, 400),
        (b"[" * 60_000, {}, 400),
        (b"{}", {"X-Drill-Token": "\u00e9", "X-Attempt": "\u00b2"}, 422),
    ],
)
def test_bad_input_is_a_problem_and_changes_nothing(
    full: Lender, raw: bytes, headers: dict[str, str], status: int
) -> None:
    before = full.ask("GET", "/borrowers/1/quota", gateway="ledger-1")  # not through a cache
    sent = {"Idempotency-Key": "bad-input-1", **headers}
    found, problem = full.ask("POST", "/v1/draws", raw=raw, headers=sent)
    assert (found, problem["status"]) == (status, status)
    assert full.ask("GET", "/borrowers/1/quota", gateway="ledger-1") == before
    assert full.ask("GET", "/v1/draws/bad-input-1")[0] == 404


def test_what_is_given_up_is_never_paid(full: Lender) -> None:
    """A key that nobody has heard of is closed as well: its press may be on the way."""
    closed = full.close("given-up-1")
    assert closed == (200, {"outcome": "closed", "draw_key": "given-up-1"})
    assert full.close("given-up-1") == full.ask("GET", "/v1/draws/given-up-1") == closed
    assert full.draw("given-up-1")[1]["reason"] == "key-too-old"
    assert full.ask("GET", "/v1/draws/given-up-1") == closed


def test_what_has_ended_stays_as_it_is_when_it_is_given_up(full: Lender) -> None:
    paid = full.draw("too-late-1")
    assert paid[0] == 201
    assert full.close("too-late-1") == (200, paid[1])
    refused = full.draw("too-late-2", amount_fen=LIMIT_FEN + 1)
    assert full.close("too-late-2", amount_fen=LIMIT_FEN + 1) == refused
    assert full.close("too-late-1", amount_fen=101)[1]["reason"] == "key-reused"
    assert full.close("no")[0] == 400


def test_unknown_things_are_404_and_405(full: Lender) -> None:
    assert full.ask("GET", "/v1/draws/never-seen-1")[1]["reason"] == "unknown-key"
    assert full.ask("GET", "/v1/borrowers/999999/quota")[0] == 404
    assert full.ask("GET", f"/v1/borrowers/{'9' * 5000}/quota")[0] == 404
    assert full.ask("GET", "/v1/nothing")[0] == 404
    assert full.ask("DELETE", "/v1/draws")[0] == 405
    assert full.ask("GET", "/openapi.json")[1]["openapi"].startswith("3.")


def test_quota_follows_what_was_drawn(full: Lender) -> None:
    assert full.draw("quota-00001", borrower=50, amount_fen=30_000)[0] == 201
    _, quota = full.ask("GET", "/v1/borrowers/50/quota")
    assert quota["outstanding_fen"] == 30_000
    assert quota["available_fen"] == LIMIT_FEN - 30_000
    assert full.draw("quota-00002", borrower=50, amount_fen=LIMIT_FEN - 29_999)[0] == 403


def test_twenty_at_once_never_exceed_the_limit(full: Lender) -> None:
    amount_fen = LIMIT_FEN // 8

    def decided(n: int) -> int:
        """Who is turned away at the door presses again."""
        for _ in range(20):
            status, _ = full.draw(f"at-once-{n:04d}", borrower=60, amount_fen=amount_fen)
            if status != 503:
                return status
        return 503

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(decided, range(20)))
    assert Counter(found) == {201: 8, 403: 12}
    assert full.ask("GET", "/v1/borrowers/60/quota")[1]["available_fen"] == 0


def test_one_key_pressed_ten_times_at_once_is_paid_once(full: Lender) -> None:
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: full.draw("ten-times-1", borrower=70)[0], range(10)))
    assert set(found) <= {201, 409}
    assert 201 in found
    assert full.ask("GET", "/v1/borrowers/70/quota")[1]["outstanding_fen"] == 100


def test_the_control_endpoint_needs_the_token(full: Lender) -> None:
    host, _, port = full.topology.control.rpartition(":")
    assert host == "127.0.0.1"
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("POST", "/restart/ledger-1", headers={"X-Token": "guess"})
    assert connection.getresponse().status == 403
    connection.close()
    assert full.control("POST", "/restart/ledger-1")[0] == 409
    assert full.control("POST", "/restart/nobody")[0] == 404


def test_everything_listens_on_loopback_alone(full: Lender) -> None:
    for service in full.topology.services:
        assert service.host == "127.0.0.1"
        for line in Path(f"/proc/{service.pid}/net/tcp").read_text().splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if int(port, 16) == service.port and line.split()[3] == "0A":
                assert address == "0100007F"


def test_the_database_is_durable(full: Lender) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert full.topology.database[name] == "on"


@pytest.mark.slow
def test_a_killed_replica_of_each_service_is_passed_over(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        for name in ("risk-1", "compliance-2", "ledger-1"):
            os.kill(made.service(name).pid, signal.SIGKILL)
        found = Counter(made.draw(f"passed-over-{n:03d}", borrower=20 + n)[0] for n in range(40))
        assert found == {201: 40}
        assert made.control("POST", "/restart/ledger-1")[0] == 200
        assert made.ask("GET", "/readyz", gateway="ledger-1")[0] == 200


@pytest.mark.slow
def test_a_bank_that_is_gone_is_passed_over_and_the_books_agree(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        os.kill(made.service("bank.partner-a").pid, signal.SIGKILL)
        found = Counter(made.draw(f"other-tier-{n:03d}", borrower=20 + n)[0] for n in range(30))
        assert found == {201: 30}
        books = made.books()
        tries = Counter(row["state"] for row in rows(books, "tries"))
        assert tries["paid"] == 30
        assert tries["not_sent"] > 0
        assert len(rows(books, "payouts")) == 30


@pytest.mark.slow
def test_a_frozen_bank_is_unknown_and_the_sweeper_ends_it(tmp_path: Path) -> None:
    """Unanswered is unknown; when the bank is back its key is closed, then posted or voided."""
    with lender(tmp_path / "lender") as made:
        bank = made.service("bank.partner-a")
        keys = [f"frozen-{n:04d}" for n in range(4)]
        os.kill(bank.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda k: made.draw(k, borrower=20 + int(k[-4:])), keys))
        finally:
            os.kill(bank.pid, signal.SIGCONT)
        unknown = [k for k, (status, _) in zip(keys, found, strict=True) if status == 504]
        assert unknown
        assert all(not problem.get("certain") for status, problem in found if status == 504)
        for key in unknown:
            until(partial(_ended, made, key), 8)
        assert made.control("GET", "/pending")[1] == {"paying": 0}
        for key in keys:
            assert made.draw(key, borrower=20 + int(key[-4:]))[0] == 201
        books = made.books()
        paid = Counter(row["draw_key"] for row in rows(books, "payouts"))
        assert paid == dict.fromkeys(keys, 1)


def _ended(made: Lender, key: str) -> bool:
    """And a press is not shed by what waits there: it says of the draw that it is voided."""
    status, said = made.ask("GET", f"/v1/draws/{key}")
    return status == 200 or said.get("reason") == "voided"


@pytest.mark.slow
def test_a_gateway_killed_while_paying_leaves_no_hold(tmp_path: Path) -> None:
    slow = CapacityConfig(16, 8, 40, 0.5)
    with lender(tmp_path / "lender", capacity=slow) as made, ThreadPoolExecutor(8) as pool:
        presses = [pool.submit(_quietly, made, f"orphan-{n:04d}", 30 + n) for n in range(8)]
        until(lambda: made.control("GET", "/pending")[1]["paying"] > 0)
        os.kill(made.service("gateway-1").pid, signal.SIGKILL)
        for press in presses:
            press.result()
        until(lambda: made.control("GET", "/pending")[1]["paying"] == 0, 8)
        books = made.books()
        paid = {row["payout_key"] for row in rows(books, "tries") if row["state"] == "paid"}
        assert paid == {row["payout_key"] for row in rows(books, "payouts")}


def _quietly(made: Lender, key: str, borrower: int) -> None:
    try:
        made.draw(key, borrower=borrower)
    except OSError:
        return


def test_deadlines_shed_what_can_not_be_finished(tmp_path: Path) -> None:
    one = CapacityConfig(1, 8, 40, 0.4)
    with lender(tmp_path / "lender", capacity=one) as made, ThreadPoolExecutor(6) as pool:
        found = list(
            pool.map(
                lambda n: made.draw(f"shed-{n:05d}", borrower=40 + n, X_Deadline_Ms="1500"),
                range(6),
            )
        )
        shed = [problem for status, problem in found if status == 503]
        assert shed
        assert all(problem["reason"] == "shed" and problem["certain"] for problem in shed)
        assert 201 in [status for status, _ in found]


def test_up_and_down_are_quick_and_nothing_is_left(tmp_path: Path) -> None:
    began_s = time.monotonic()
    with lender(tmp_path / "lender") as made:
        up_s = time.monotonic() - began_s
        pids = [service.pid for service in made.topology.services]
        pids += [member.pid for member in made.databases().members]
        down_s = made.stop()
    assert (up_s, down_s) < (20, 20)  # bounds of a hang; figures are for the benchmarks
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_acknowledge_before_commit_is_really_planted(tmp_path: Path) -> None:
    with lender(tmp_path / "lender", defects=("acknowledge-before-commit",)) as made:
        assert made.draw("planted-001", borrower=80)[0] == 201
        for name in ("ledger-1", "ledger-2"):
            os.kill(made.service(name).pid, signal.SIGKILL)
        books = made.books()
        assert [row for row in rows(books, "draws") if row["state"] == "paid"] == []
        assert len(rows(books, "payouts")) == 1
