"""When borrowers were told, seen from outside: a lender that dates its notices back is found."""

import http.server
import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.columns import PLACES, RUN_SCHEMA
from harness.evidence.recorder import write_rows
from harness.evidence.rows import Intent, NoticeLook, Policy, Published
from harness.evidence.seal import PLACE
from harness.evidence.store import RunDir
from harness.evidence.tables import read_rows
from harness.judge.amplification import out_per_in
from harness.judge.judge import measure
from harness.judge.load_view import load_view
from harness.judge.noticed import believed
from harness.judge.view import RunView
from harness.judge.warnings import warnings
from harness.notice_looks import NOTICES_MAX, NoticeLooks, shown
from tests.kept_runs import DATA
from tests.run_views import T0_NS, broken, changed, clean

CLEAN = clean(200)
NUMBER = 8
# Draw 106, due after 10.6 s, is the first that it says no to. Obeyed, and no law.
TIGHT = Policy("risk", NUMBER, None, None, T0_NS + 9 * NS_PER_S, None, above_fen=20_500)
BOOK = (*CLEAN.policies, TIGHT)
LOOKS_S = [number / 4 for number in range(-4, 80)]


def at(seconds: float) -> int:
    return T0_NS + round(seconds * NS_PER_S)


def told(seconds: float, borrower: int | None = None) -> Published:
    return Published(borrower, "notice", NUMBER, at(seconds))


def look(at_s: float, *, there: bool, status: int = 200, borrower: int = 1) -> NoticeLook:
    """Answered within 2 ms."""
    seen = NoticeLook(borrower, "gateway-1", at(at_s), at(at_s) + 2_000_000, status)
    return seen._replace(policy=NUMBER, kind="risk") if there else seen


def looks(from_s: float | None) -> list[NoticeLook]:
    """Four a second; the notice is there from a moment on, or never."""
    return [look(s, there=from_s is not None and s >= from_s) for s in LOOKS_S]


def one_told(row: Published, seen: Sequence[NoticeLook], policy: Policy = TIGHT) -> float | None:
    """When it is believed that all were told, s; None: never."""
    found = believed([row], [policy], seen)
    return (found[0].published_ns - T0_NS) / NS_PER_S if found else None


# -- what is believed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said_s", "there_s", "believed_s"),
    [(12.0, 12.0, 12.0), (12.1, 12.1, 12.1), (4.0, 12.0, 11.75), (-1.0, -1.0, -1.0),
     (-9.0, -1.0, -9.0), (4.0, None, None), (19.9, None, 19.9)],
    ids=["true", "true between looks", "dated back", "there at the first look",
         "before anybody looked", "never there", "after the last look"],
)  # fmt: skip
def test_a_notice_is_no_older_than_the_last_look_that_was_not_shown_it(
    said_s: float, there_s: float | None, believed_s: float | None
) -> None:
    assert one_told(told(said_s), looks(there_s)) == believed_s


def test_where_nobody_looked_the_lenders_word_stands() -> None:
    rows = (*CLEAN.published, told(4.0))
    assert believed(rows, BOOK, ()) == rows
    # What it began with was never in a notice.
    assert believed(CLEAN.published, BOOK, looks(None)) == CLEAN.published


def test_a_door_that_is_kept_shut_tells_nobody() -> None:
    """Whoever is answered 503, or nothing, has not been told; once it opens, all are."""
    shut = [look(s, there=s >= 12, status=200 if s < 4 or s >= 12 else 503) for s in LOOKS_S]
    assert one_told(told(4.0), shut) == 11.75
    never = [look(s, there=False, status=0) for s in LOOKS_S]
    assert one_told(told(4.0), never) is None


def test_who_keeps_a_look_waiting_gains_no_more_than_one_may_take() -> None:
    slow = look(3.9, there=True)._replace(done_ns=at(12.0))
    assert one_told(told(4.0), [*looks(None)[:19], slow]) == 9.0


def test_one_that_was_over_before_anybody_could_look_is_not_called_untrue() -> None:
    short = TIGHT._replace(ended_ns=at(12.2))
    assert one_told(told(12.1), looks(None), short) == 12.1
    assert one_told(told(11.9), looks(None), short) is None


def test_a_number_that_says_something_else_is_another_notice() -> None:
    filler = [one._replace(kind="shortage") if one.policy else one for one in looks(2.0)]
    assert one_told(told(2.0), filler) is None
    ruled = TIGHT._replace(kind="compliance", rule="draw_max")
    other = [one._replace(kind="compliance", rule="x") for one in looks(2.0) if one.policy]
    assert one_told(told(2.0), other, ruled) is None
    right = [one._replace(rule="draw_max") for one in other]
    assert one_told(told(2.0), right, ruled) == 2.0


def test_of_a_notice_to_one_borrower_looks_for_others_say_nothing() -> None:
    others = looks(None)
    assert one_told(told(4.0, borrower=7), others) == 4.0
    mine = [look(5.0, there=False, borrower=7), look(6.0, there=True, borrower=7)]
    assert one_told(told(4.0, borrower=7), [*others, *mine]) == 5.0


@given(st.integers(-8, 80), st.integers(-8, 80), st.lists(st.integers(-8, 80), max_size=12))
def test_nobody_gains_by_dating_back_and_the_truth_costs_nothing(
    said: int, there: int, looked: Sequence[int]
) -> None:
    seen = [look(s, there=s >= there) for s in looked]
    assert one_told(told(there), seen) == there
    found = one_told(told(said), seen)
    if found is not None:
        assert found >= said
    if any(s < there for s in looked) and any(s >= there for s in looked):
        assert found is not None
        assert found >= max(s for s in looked if s < there)


# -- what follows from it -----------------------------------------------------------------------


def run(said_s: float, seen: Sequence[NoticeLook]) -> RunView:
    """Draws 106 to 117, due from 10.6 s on, were not paid."""
    view = broken(CLEAN, range(106, 118))
    rows = (*CLEAN.published, told(said_s))
    return changed(view, policies=BOOK, published=believed(rows, BOOK, seen))


def test_dating_back_raises_neither_guarantee_nor_told_share_nor_lead() -> None:
    taken = measure(run(4.0, ())).guarantee.total  # at its word
    assert (taken.broken, taken.withheld > 0) == (0, True)
    assert warnings(run(4.0, ())).lead_s == 6.6
    for view in (run(4.0, looks(11.8)), run(11.8, looks(11.8))):
        found = measure(view)
        assert found.guarantee.total.broken == 11  # one of the twelve is rightly refused
        assert (found.guarantee.total.count or 1) < (taken.count or 0)
        assert (found.warnings.told_share or 1) < 1
    assert warnings(run(4.0, looks(11.8))).lead_s == -1.15
    never = measure(run(4.0, looks(None)))
    assert (never.warnings.untold, never.warnings.told) == ((f"risk {NUMBER}",), 0)
    assert never.guarantee.total.withheld == 0


def test_looks_are_no_requests_of_the_load() -> None:
    call = next(one for one in CLEAN.calls if one.edge == "borrower->gateway")
    own = call._replace(draw_key="", attempt=0, edge="onlooker->gateway", client="onlooker-1")
    assert out_per_in(changed(CLEAN, calls=[*CLEAN.calls, *[own] * 9])) == out_per_in(CLEAN)


def kept(folder: Path, seen: Sequence[NoticeLook], schema: int = 1) -> RunDir:
    """The kept run, of a lender that says that it gave a notice at t = 0, and what was seen."""
    found = RunDir(Path(shutil.copytree(DATA / "held", folder / "held")))
    (found.path / PLACE).unlink()
    record = json.loads((found.path / "run.json").read_text())
    found.write_json("run.json", {**record, "schema": schema})
    more = {"policies": TIGHT._replace(adopted_ns=record["t0_ns"]),
            "published": Published(None, "notice", NUMBER, record["t0_ns"])}  # fmt: skip
    for table, row in more.items():
        rows = [*read_rows(found.path, table)[0], row]
        (found.path / f"{PLACES[table]}.parquet").unlink()
        write_rows(found.stream_path(table), table, rows)
    if seen:
        later_ns = record["t0_ns"] - T0_NS
        moved = [o._replace(sent_ns=o.sent_ns + later_ns, done_ns=o.done_ns + later_ns)
                 for o in seen]  # fmt: skip
        write_rows(found.stream_path("notice_looks"), "notice_looks", reversed(moved))
    return found


def notices(view: RunView) -> list[float]:
    found = [row.published_ns for row in view.published if row.kind == "notice"]
    return [(at_ns - view.t0_ns) / NS_PER_S for at_ns in found]


def test_a_run_directory_is_read_so(tmp_path: Path) -> None:
    cases = {"word": ((), [0.0]), "back": (looks(1.0), [0.75]), "never": (looks(None), [])}
    for name, (seen, expected) in cases.items():
        view = load_view(kept(tmp_path / name, seen))
        assert notices(view) == expected
        assert len(view.notice_looks) == len(seen)
        assert "notice_looks" not in view.missing


def test_a_newer_run_owes_its_looks(tmp_path: Path) -> None:
    assert "notice_looks" in load_view(kept(tmp_path, (), RUN_SCHEMA)).missing


# -- who looks ----------------------------------------------------------------------------------


class Lender:
    """A gateway that says what it was told to say, and remembers who asked for what."""

    def __init__(self) -> None:
        self.status, self.body = 200, b'{"notices": []}'
        self.asked: list[tuple[str, Mapping[str, str]]] = []


@contextmanager
def gateway(lender: Lender) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lender.asked.append((self.path, dict(self.headers)))
            self.send_response(lender.status)
            self.end_headers()
            self.wfile.write(lender.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def draw(number: int, due_s: float) -> Intent:
    due_ns = round(due_s * NS_PER_S)
    return Intent(number, f"key-{number}", 100 + number, "new", 1, "x", due_ns, "fault", False)


def seen_by(folder: Path, urls: Mapping[str, str], began_ns: int, asked: Lender, times: int) -> Any:
    """Rows of the table after so many questions."""
    intents = [draw(0, 0.0), draw(1, 1.0), draw(2, 9_000.0)]
    folder.mkdir()
    looking = NoticeLooks(
        folder / "notice_looks.0.arrows", urls, intents, "secret", lambda: began_ns
    )
    looking.start()
    give_up_s = time.monotonic() + 20
    while len(asked.asked) < times:
        assert time.monotonic() < give_up_s
    looking.stop()
    rows, missing, cut = read_rows(folder, "notice_looks")
    assert (missing, cut) == (False, False)
    return [NoticeLook(*row) for row in rows]


def test_looks_are_real_and_say_what_was_there(tmp_path: Path) -> None:
    lender = Lender()
    with gateway(lender) as url:
        before_ns = time.monotonic_ns()
        (first, *_) = seen_by(tmp_path / "a", {"gateway-1": url}, 0, lender, 1)
        assert (first.borrower, first.gateway, first.status, first.policy) == (
            100, "gateway-1", 200, None,
        )  # fmt: skip
        assert before_ns < first.sent_ns < first.done_ns < time.monotonic_ns()
        path, headers = lender.asked[0]
        assert path == "/v1/notices/100"
        assert headers["X-Client"] == "onlooker-1"
        assert (headers["X-Drill"], headers["X-Drill-Token"]) == ("1", "secret")
        lender.asked.clear()
        lender.body = b'{"notices": [{"number": 2, "kind": "risk"}, {"number": 3, "rule": "r"}]}'
        # Who draws next: half a second after t = 0 it is the second.
        began_ns = time.monotonic_ns() - NS_PER_S // 2
        rows = seen_by(tmp_path / "b", {"gateway-1": url}, began_ns, lender, 1)[:2]
        assert {one.borrower for one in rows} == {101}
        assert [(o.policy, o.kind, o.rule) for o in rows] == [(2, "risk", None), (3, None, "r")]


def test_a_replica_that_is_gone_hides_nothing_and_one_that_lies_is_no_answer(
    tmp_path: Path,
) -> None:
    lender = Lender()
    with gateway(Lender()) as gone:
        pass
    with gateway(lender) as url:
        urls = {"gateway-1": gone, "gateway-2": url}
        rows = seen_by(tmp_path / "a", urls, 0, lender, 2)
        assert {(one.gateway, one.status) for one in rows} == {("gateway-2", 200)}
        lender.asked.clear()
        lender.status = 503
        rows = seen_by(tmp_path / "b", {"gateway-2": url}, 0, lender, 1)
        assert {one.status for one in rows} == {503}


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, {"notices": []}, (200, [])),
        (200, {}, (0, None)),
        (200, {"notices": {"number": 2}}, (0, None)),
        (503, {"notices": []}, (503, None)),
        (200, {"notices": [7, {"number": True}, {"number": -1}, {"number": 10**12}]}, (200, [])),
        (200, {"notices": [{"number": 2, "kind": "a\ud800", "rule": ["r"]}]},
         (200, [(2, None, None)])),
        (200, {"notices": [{"number": 2}] * 9_999}, (200, [(2, None, None)] * NOTICES_MAX)),
    ],
)  # fmt: skip
def test_whatever_a_lender_says_can_be_written_down(
    status: int, body: Mapping[str, Any], found: object
) -> None:
    assert shown(status, body) == found
