"""Parts of benchmarks/load.py: the stub, the peers' words, a made-up run read in two ways."""

import http.client
import json
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import shown
from benchmarks.load_million import by_judge, by_plain, complete
from benchmarks.load_peers import of_hey, of_stock, of_wrk
from benchmarks.load_recording import made_up, write_many
from benchmarks.load_run import compacted_bytes
from benchmarks.load_stub import header, requests
from benchmarks.load_stub_up import StubUp, stub_up
from benchmarks.results import spreads
from harness.load.outcome import of_answer
from tests.drills import ROOT

BODY = b'{"borrower": 7, "amount_fen": 100, "purpose": "education"}'
DRAW = (
    b"POST /v1/draws HTTP/1.1\r\nHost: x\r\nidempotency-KEY: key-0001\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
LOOK = b"GET /v1/borrowers/7/quota HTTP/1.1\r\nHost: x\r\n\r\n"

WRK = """Running 12s test @ http://127.0.0.1:1/v1/draws
  Latency Distribution
     50%  249.00us
     75%  300.00us
     90%    3.67ms
     99%    1.78s
  40728 requests in 12.00s, 9.00MB read
"""
HEY = """Latency distribution:
  10% in 0.0003 secs
  50% in 0.0006 secs
  90% in 0.0017 secs
  99% in 1.9276 secs

Status code distribution:
  [201]	400 responses
"""
STOCK = """Type,Name,Request Count,Failure Count,50%,90%,99%
POST,/v1/draws,1000,1,5,9,2000
,Aggregated,1000,1,5,9,2000
"""


@given(st.lists(st.sampled_from([DRAW, LOOK]), max_size=6), st.lists(st.integers(0, 900)))
def test_requests_come_out_whole_however_they_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    data = b"".join(sent)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found, rest = [], b""
    for start, end in pairwise(edges):
        more, rest = requests(rest + data[start:end])
        found += more
    assert rest == b""
    assert [body for _, body in found] == [BODY if one is DRAW else b"" for one in sent]


def test_a_header_is_found_in_any_case_and_only_as_a_header() -> None:
    head = DRAW.partition(b"\r\n\r\n")[0]
    assert header(head, b"idempotency-key") == b"key-0001"
    assert header(head, b"key") == b""
    assert header(head, b"content-length") == str(len(BODY)).encode()


def asked(stub: StubUp, method: str, path: str, key: str = "") -> tuple[int, dict[str, Any]]:
    parts = urlsplit(stub.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    headers = {"Idempotency-Key": key} if key else {}
    connection.request(method, path, BODY if method == "POST" else None, headers)
    answer = connection.getresponse()
    found: dict[str, Any] = json.loads(answer.read())
    connection.close()
    return answer.status, found


def test_the_stub_speaks_the_lenders_api(tmp_path: Path) -> None:
    schemas = json.loads((ROOT / "mock_lender" / "openapi.json").read_text())["components"]
    with stub_up(tmp_path, "fast", bodies=True) as stub:
        unknown = asked(stub, "GET", "/v1/draws/key-0001")
        granted = asked(stub, "POST", "/v1/draws", "key-0001")
        again = asked(stub, "GET", "/v1/draws/key-0001")
        quota = asked(stub, "GET", "/v1/borrowers/7/quota")
        stub.stop()
    assert granted[0] == 201
    assert of_answer(*granted).outcome == of_answer(*again).outcome == "granted"
    assert set(granted[1]) == set(schemas["schemas"]["Granted"]["required"])
    assert set(quota[1]) == set(schemas["schemas"]["Quota"]["required"])
    assert (unknown[0], of_answer(*unknown).reason) == (404, "unknown-key")
    assert stub.draws() == [("key-0001", json.loads(BODY))]


def test_a_freezing_stub_answers_when_it_says_it_did(tmp_path: Path) -> None:
    """It answers for 1 ms in 100, which is too short for ten questions, one after the other."""
    with stub_up(tmp_path, "freezing", period_s=0.1, freeze_s=0.099) as stub:
        for number in range(10):
            assert asked(stub, "POST", "/v1/draws", f"key-{number:04d}")[0] == 201
        stub.stop()
    freezes = stub.freezes()
    assert sum(freeze.answers for freeze in freezes) >= 1
    assert all(one.from_ns < one.released_ns <= one.last_ns for one in freezes)


def test_a_queueing_stub_logs_each_service(tmp_path: Path) -> None:
    with stub_up(tmp_path, "queue", servers=1, service_ms=2.0) as stub:
        for number in range(3):
            assert asked(stub, "POST", "/v1/draws", f"key-{number:04d}")[0] == 201
        stub.stop()
    served = stub.served()
    assert set(served) == {"key-0000", "key-0001", "key-0002"}
    assert all(arrived <= began <= ended for arrived, began, ended in served.values())


def test_peers_words_are_read() -> None:
    assert of_wrk(WRK) == {"p50_ms": 0.249, "p90_ms": 3.67, "p99_ms": 1780.0, "requests": 40728}
    assert of_hey(HEY) == {"p50_ms": 0.6, "p90_ms": 1.7, "p99_ms": 1927.6, "requests": 400}
    assert of_stock(STOCK) == {
        "p50_ms": 5.0, "p90_ms": 9.0, "p99_ms": 2000.0, "requests": 1000, "failures": 1
    }  # fmt: skip


@pytest.mark.parametrize("read", [of_wrk, of_hey])
def test_words_that_say_nothing_are_no_answer(read: Any) -> None:
    with pytest.raises(ValueError, match="names no"):
        read("Socket errors: connect 10")


def test_the_judges_sums_are_those_of_plain_rows(tmp_path: Path) -> None:
    run, count, _ = write_many(tmp_path, 3000)
    streamed = by_judge(run)
    compacted_bytes(run)
    sums = by_judge(run)
    assert sums == streamed == by_plain(run)
    assert complete(run)["attempts"] == count
    assert sums["attempts"] == count >= 3000
    assert set(sums["outcomes"]) == {"granted", "refused", "failed", "unknown"}
    assert 0.9 < sums["kept"] < 1
    assert sums["censored"] > 0


def test_made_up_draws_are_due_in_order_and_pressed_first() -> None:
    made = list(islice(made_up(Random(1)), 500))
    assert all(a.due_ns <= b.due_ns for (a, _), (b, _) in pairwise(made))
    for intent, attempts in made:
        assert {attempt.intent for attempt in attempts} == {intent.intent}
        assert next(a.kind for a in attempts if a.kind != "look") == "press"


def test_spreads_are_median_lowest_highest_of_numbers_alone() -> None:
    runs: list[dict[str, Any]] = [
        {"a": 3, "word": "x", "in": {"b": 1.0, "peer": {"c": 1}}},
        {"a": 1, "word": "y", "in": {"b": 2.0, "peer": "not installed"}},
        {"a": 2, "word": "z", "in": {"b": 9.0, "peer": {"c": 3}}},
    ]
    found = spreads(runs)
    assert found == {"a": [2, 1, 3], "in": {"b": [2.0, 1.0, 9.0], "peer": {"c": [2.0, 1, 3]}}}
    assert len(shown(found)) == 3
