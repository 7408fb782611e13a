"""Whose money it is, and until when: joint lending, treasury, banks that can't close, old keys."""

import hashlib
import os
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from mock_lender.cluster.config import TierConfig
from tests.books import assert_at_rest, latest, rows, sums
from tests.lender_process import Lender, lender, until

OWN_BP = 3000
OPENING_FEN = 600_000
EXPIRE_S = 0.5
TIERS = (
    TierConfig("own", "bank.own", 0.5, OPENING_FEN, slices=2),
    TierConfig("partner-a", "bank.partner-a", 0.5, OPENING_FEN, OWN_BP, closes=False, slices=3),
)


def key_for(tier: str, start: str) -> str:
    """A key whose share of [0, 1) is that tier's, as the ledger reckons it."""
    for number in range(1000):
        key = f"{start}-{number:04d}"
        point = int(hashlib.md5(key.encode()).hexdigest()[:8], 16) / 2**32  # noqa: S324
        if (point < 0.5) == (tier == "own"):
            return key
    raise AssertionError("no key")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    folder = tmp_path_factory.mktemp("money") / "lender"
    with lender(folder, tiers=TIERS, expire_after_s=EXPIRE_S) as one:
        yield one
        until(lambda: one.control("GET", "/pending")[1]["paying"] == 0)
        books = one.books()
        assert_at_rest(books)
        the_parts_are_booked(books_of(one))
        given_fen = -int(latest(books)["treasury"]["balance_fen"])
        assert given_fen == 2 * OPENING_FEN - 4_000 + 1_500
        assert sums(books)["treasury:available"] == -given_fen


def books_of(made: Lender) -> dict[str, dict[str, int]]:
    """Postings of each paid draw of the partner's, by account."""
    books = made.folder / "books"
    joint = {r["draw_key"]: r for r in rows(books, "tries") if r["tier"] == "partner-a"}
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows(books, "postings"):
        one = joint.get(row["draw_key"])
        if one and one["state"] == "paid" and (row["try"], row["event"]) == (one["try"], "post"):
            account = re.sub(r"^tier:own/[0-9]+", "tier:own/N", row["account"])
            found[row["draw_key"]][account] += int(row["amount_fen"])
    return found


def the_parts_are_booked(found: dict[str, dict[str, int]]) -> None:
    """Own part and partner's part leave their holds at once, and the own part is owed."""
    assert "jointly-1" in {key[:9] for key in found}
    for accounts in found.values():
        amount_fen = next(fen for name, fen in accounts.items() if name.endswith(":outstanding"))
        own_fen = amount_fen * OWN_BP // 10_000
        assert accounts["tier:own/N:held"] == -own_fen
        partner_fen = sum(v for n, v in accounts.items() if n.startswith("tier:partner-a/"))
        assert partner_fen == own_fen - amount_fen
        assert accounts["settlement:own:payable"] == -own_fen
        assert accounts["settlement:partner-a:receivable"] == own_fen


def test_a_joint_draw_is_paid_whole_by_the_partners_bank(made: Lender) -> None:
    key = key_for("partner-a", "jointly-1")
    status, granted = made.draw(key, borrower=20, amount_fen=9_999)
    assert (status, granted["tier"]) == (201, "partner-a")
    odd = key_for("partner-a", "jointly-2")
    assert made.draw(odd, borrower=21, amount_fen=1)[0] == 201  # the own part is nothing


def test_the_treasury_moves_what_there_is(made: Lender) -> None:
    assert made.control("POST", "/treasury/own?amount_fen=-4000&key=drain-1") == (
        200,
        {"done": True},
    )
    for _ in range(2):  # asked again, it is done already
        assert made.control("POST", "/treasury/own?amount_fen=1500&key=top-1")[0] == 200
    assert made.control("POST", f"/treasury/own?amount_fen=-{10**9}&key=drain-2")[0] == 409
    assert made.control("POST", "/treasury/nobody?amount_fen=1&key=top-2")[0] == 404
    assert made.control("POST", "/treasury/own?amount_fen=much&key=top-3")[0] == 400
    assert made.control("POST", "/treasury/own?amount_fen=--1&key=top-4")[0] == 400
    assert made.control("POST", "/treasury/own?amount_fen=1")[0] == 400


def test_a_draw_that_nobody_comes_back_to_ends(made: Lender) -> None:
    """More than both tiers have: nothing is stored but that it was asked for."""
    status, problem = made.draw("left-alone", borrower=22, amount_fen=1_000_000)
    assert (status, problem["reason"], problem["certain"]) == (409, "no-money", True)
    give_up_s = time.monotonic() + 3 * EXPIRE_S
    while time.monotonic() < give_up_s:  # who comes back is not left alone
        assert made.draw("left-alone", borrower=22, amount_fen=1_000_000)[0] == 409
    until(lambda: made.ask("GET", "/draws/left-alone", gateway="ledger-1")[1]["state"] == "expired")
    assert made.draw("left-alone", borrower=22, amount_fen=1_000_000)[0] == 410
    assert made.ask("GET", "/v1/draws/left-alone")[1]["outcome"] == "closed"


@contextmanager
def frozen(made: Lender, name: str) -> Iterator[None]:
    pid = made.service(name).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_bank_without_close_refuses_what_comes_too_late(made: Lender) -> None:
    """It thaws with the payout before it, after the moment until which it may pay; the sweeper
    asks after that moment and voids; the next press is the next try."""
    key = key_for("partner-a", "too-late")
    with frozen(made, "bank.partner-a"):
        status, problem = made.draw(key, borrower=23, amount_fen=50, X_Deadline_Ms="1500")
        assert (status, problem["certain"]) == (504, False)
    until(lambda: made.ask("GET", f"/v1/draws/{key}")[0] == 503)
    bank = "bank.partner-a"
    late = f"{key}.partner-a.1"
    assert made.ask("GET", f"/payouts/{late}", gateway=bank)[1]["state"] == "not_paid"
    body = {"payout_key": late, "draw_key": key, "amount_fen": 50, "not_after_ns": 1}
    assert made.ask("POST", "/payouts", body, gateway=bank) == (409, {"state": "closed"})
    assert made.ask("POST", "/payouts", body | {"not_after_ns": None}, gateway=bank)[0] == 422
    assert made.ask("POST", f"/payouts/{late}/close", {}, gateway=bank)[0] == 405


def test_only_its_own_gateway_certifies_that_nothing_was_sent(made: Lender) -> None:
    key = key_for("own", "certified")
    void = {"draw_key": key, "try": 1, "why": "not_sent", "gateway": "gateway-2"}
    with ThreadPoolExecutor(1) as pool:
        with frozen(made, "bank.own"):
            press = pool.submit(made.draw, key, 24, 60)
            until(lambda: made.ask("GET", f"/v1/draws/{key}")[0] == 202)
            found = made.ask("POST", "/void", void, gateway="ledger-1")
            assert found == (409, {"state": "paying"})
        press.result()
    until(lambda: made.draw(key, borrower=24, amount_fen=60)[0] == 201)
    void["gateway"] = "gateway-1"
    assert made.ask("POST", "/void", void, gateway="ledger-2")[0] == 409


@pytest.mark.slow
def test_keys_are_kept_for_their_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("kept") / "lender"
    with lender(place, tiers=TIERS, key_retention_s=1.0) as made:
        assert made.draw("kept-00001")[0] == 201
        assert made.draw("kept-00002", purpose="securities")[0] == 403
        assert made.draw("kept-00003", borrower=22, amount_fen=1_000_000)[0] == 409
        until(lambda: made.draw("kept-00003", borrower=22, amount_fen=1_000_000)[0] == 410)
        status, problem = made.draw("kept-00003", borrower=22, amount_fen=1_000_000)
        assert (status, problem["reason"], problem["certain"]) == (410, "key-too-old", True)
        # What has an end is told the same for ever: else it would be asked for under another key.
        assert made.draw("kept-00001")[0] == 201
        assert made.draw("kept-00002", purpose="securities")[0] == 403
        assert made.ask("GET", "/v1/draws/kept-00001")[0] == 200
