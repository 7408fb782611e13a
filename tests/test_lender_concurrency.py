"""Two hundred calls at once over HTTP, through both gateways: one draw or repayment a key."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mock_lender.resilience.profile import PROFILES
from tests.books import assert_at_rest, rows
from tests.lender_process import Lender, lender, until
from tests.pressing import GATEWAYS

CALLS = 200
AT_ONCE = 50
Answer = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    # All two hundred are to be worked on, however long it takes: who is told that we are busy, or
    # hears nothing within the second that callers wait where there are breakers, says nothing of
    # keys.
    let_in = tuple(name for name in PROFILES["full"] if name not in ("admission", "breaker"))
    with lender(tmp_path_factory.mktemp("crowd") / "lender", protections=let_in) as one:
        yield one
        until(lambda: one.control("GET", "/pending")[1]["paying"] == 0)
        books = one.books()
        assert_at_rest(books)
        payouts = Counter(row["draw_key"] for row in rows(books, "payouts"))
        assert (payouts["one-key-01"], max(payouts.values())) == (1, 1)
        keys = [row["repay_key"] for row in rows(books, "repayments")]
        assert len(keys) == len(set(keys))


def at_once(call: Callable[[int], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, range(CALLS)))


def draw(made: Lender, key: str, borrower: int, amount_fen: int, number: int) -> Answer:
    body = {"borrower": borrower, "amount_fen": amount_fen, "purpose": "education"}
    return made.ask("POST", "/v1/draws", body, {"Idempotency-Key": key}, GATEWAYS[number % 2])


def test_one_key_pressed_two_hundred_times_is_one_draw_and_one_answer(made: Lender) -> None:
    found = at_once(lambda n: draw(made, "one-key-01", 20, 700, n))
    granted = [body for status, body in found if status == 201]
    others = [body["reason"] for status, body in found if status != 201]
    assert granted
    assert set(others) <= {"in-progress"}
    assert len({json.dumps(body, sort_keys=True) for body in granted}) == 1
    again = at_once(lambda n: draw(made, "one-key-01", 20, 700, n))
    assert [one for one in again if one != (201, granted[0])] == []
    other = at_once(lambda n: draw(made, "one-key-01", 20, 701, n))
    assert Counter((status, body["reason"]) for status, body in other) == {
        (422, "key-reused"): CALLS
    }
    quota = made.ask("GET", "/v1/borrowers/20/quota")[1]
    assert (quota["outstanding_fen"], quota["held_fen"]) == (700, 0)


def test_two_bodies_that_race_for_a_new_key_leave_one_draw(made: Lender) -> None:
    found = at_once(lambda n: draw(made, "two-bodies", 21 + n % 4, 300, n))
    assert Counter(status for status, _ in found).keys() <= {201, 409, 422}
    owed = [
        made.ask("GET", f"/v1/borrowers/{n}/quota")[1]["outstanding_fen"] for n in range(21, 25)
    ]
    assert sorted(owed) == [0, 0, 0, 300]


def repay(made: Lender, key: str, borrower: int, amount_fen: int, number: int) -> Answer:
    body = {"borrower": borrower, "amount_fen": amount_fen}
    return made.ask("POST", "/v1/repayments", body, {"Idempotency-Key": key}, GATEWAYS[number % 2])


def test_few_keys_repaid_two_hundred_times_restore_the_quota_once_each(made: Lender) -> None:
    assert draw(made, "to-repay-1", 30, 1_000, 0)[0] == 201
    found = at_once(lambda n: repay(made, f"repaid-{n % 5:04d}", 30, 100, n))
    assert Counter(status for status, _ in found) == {201: CALLS}
    quota = made.ask("GET", "/v1/borrowers/30/quota")[1]
    assert quota["outstanding_fen"] == 500
    reused = at_once(lambda n: repay(made, f"repaid-{n % 5:04d}", 30, 101, n))
    assert Counter((status, body["reason"]) for status, body in reused) == {
        (422, "key-reused"): CALLS
    }


def test_a_repayment_key_raced_for_by_many_borrowers_is_one_repayment(made: Lender) -> None:
    """Nobody holds a lock that the others need: the key alone decides."""
    for n in range(8):
        assert draw(made, f"raced-for-{n}", 40 + n, 100, n)[0] == 201
    found = at_once(lambda n: repay(made, f"raced-{n // 40:03d}", 40 + n % 8, 20, n))
    assert Counter(status for status, _ in found).keys() == {201, 422}
    owed = [
        made.ask("GET", f"/v1/borrowers/{n}/quota")[1]["outstanding_fen"] for n in range(40, 48)
    ]
    assert sum(owed) == 8 * 100 - 5 * 20


def test_more_than_is_outstanding_is_never_repaid(made: Lender) -> None:
    assert draw(made, "over-repay", 50, 1_000, 0)[0] == 201
    found = at_once(lambda n: repay(made, f"over-{n:06d}", 50, 10, n))
    assert Counter(status for status, _ in found) == {201: 100, 422: 100}
    assert all(body["final"] for status, body in found if status == 422)
