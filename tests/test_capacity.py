"""The search for a lender's knee, the hop that fills up first, and how both are told."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capacity.found import Found, Point, capacity_json
from harness.capacity.search import Knee, Steps, search, tidy
from harness.cli import main
from harness.evidence.rows import Call
from harness.find_capacity import Asked, Setup, few_draws
from harness.judge.saturation import Own, covered_ns, first_to_saturate, own_times
from harness.report.capacity import capacity_html, capacity_text, point_line
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE

STEPS = Steps(first_per_s=50.0, grow=1.25, exact=0.05, most_per_s=2000.0)
DRILLS_MOST = 200


def find(steps: Steps, holds: "dict[float, bool | None] | float") -> tuple[Knee, list[float]]:
    """Search a lender that holds up to a rate, or as the dictionary says."""
    trying, tried = search(steps), []
    rate = next(trying)
    for _ in range(DRILLS_MOST):
        tried.append(rate)
        answer = holds.get(rate, True) if isinstance(holds, dict) else rate <= holds
        try:
            rate = trying.send(answer)
        except StopIteration as over:
            return over.value, tried
    raise AssertionError("the search does not end")


@given(knee=st.floats(2, 1900), first=st.floats(1, 1900), grow=st.floats(1.1, 2.5))
def test_the_knee_is_between_what_held_and_what_broke(
    knee: float, first: float, grow: float
) -> None:
    found, tried = find(Steps(tidy(first), grow, 0.05, 2000.0), knee)
    if found.held_per_s is None:
        assert min(tried) > knee
        return
    assert found.held_per_s <= knee
    assert found.held_per_s in tried
    if found.broken_per_s is None:
        assert max(tried) == 2000.0
        return
    assert knee < found.broken_per_s
    between = tidy(math.sqrt(found.held_per_s * found.broken_per_s))
    near = found.broken_per_s / found.held_per_s <= 1.05
    assert near or between in (found.held_per_s, found.broken_per_s)


def test_a_search_by_hand() -> None:
    found, tried = find(STEPS, 90.0)
    assert tried == [50.0, 62.5, 78.1, 97.6, 87.3, 92.3, 89.8]
    assert found == Knee(held_per_s=89.8, broken_per_s=92.3, unsure_per_s=None)


def test_what_cannot_be_told_ends_the_search_and_is_said() -> None:
    found, tried = find(STEPS, {78.1: None})
    assert tried == [50.0, 62.5, 78.1]
    assert found == Knee(held_per_s=62.5, broken_per_s=None, unsure_per_s=78.1)


def test_a_lender_that_never_breaks_has_no_knee() -> None:
    found, tried = find(replace(STEPS, most_per_s=100.0), 1e9)
    assert tried[-1] == 100.0
    assert found == Knee(100.0, None, None)


def call(
    edge: str, client: str, server: str, side: str, start_ms: float, done_ms: float,
    queue_ms: float = 0, key: str = "k1",
) -> Call:  # fmt: skip
    at = [int(value * 1e6) for value in (start_ms, done_ms, queue_ms)]
    return Call(key, 1, edge, client, server, side, at[0], at[1], True, "ok", at[2])


STORY = [
    call("borrower->gateway", "borrower", "gateway-1", "server", 0, 100, queue_ms=20),
    # Risk and compliance are asked together: what overlaps is out once.
    call("gateway->risk", "gateway-1", "risk-2", "client", 25, 35),
    call("gateway->compliance", "gateway-1", "compliance-1", "client", 25, 40),
    call("gateway->risk", "gateway-1", "risk-2", "server", 27, 33),
    call("gateway->compliance", "gateway-1", "compliance-1", "server", 26, 39),
    call("gateway->ledger", "gateway-1", "ledger-1", "client", 40, 90),
    call("gateway->ledger", "gateway-1", "ledger-1", "server", 45, 85),
    call("ledger->database", "ledger-1", "database-1", "client", 50, 80),
    # Another draw's call of the same gateway is not this draw's.
    call("gateway->ledger", "gateway-1", "ledger-1", "client", 90, 99, key="k2"),
]


def test_a_hops_own_time_is_what_it_was_not_waiting_for_others() -> None:
    own = own_times(STORY, frozenset({"k1"}))
    assert own == {
        "gateway": Own(100 - 15 - 50, 20),
        "risk": Own(6, 0),
        "compliance": Own(13, 0),
        "ledger": Own(40 - 30, 0),
        "database": Own(30, 0),
    }
    assert own_times(STORY, frozenset({"k1", "k3"}))["ledger"] == Own(5, 0)


@given(
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30))), start=st.integers(0, 40),
    length=st.integers(0, 40),
)  # fmt: skip
def test_what_spans_cover_is_what_a_count_of_moments_says(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    made = [(begin, begin + long) for begin, long in spans]
    moments = {at for begin, end in made for at in range(begin, end)}
    counted = sum(at in moments for at in range(start, start + length))
    assert covered_ns(made, start, start + length) == counted


@pytest.mark.parametrize(
    ("points", "first"),
    [
        ([], None),
        (
            [(50, {"gateway": 5.0, "bank.own": 80.0}), (60, {"gateway": 6.0, "bank.own": 81.0})],
            None,
        ),
        # A microsecond that doubles is nobody's limit.
        ([(50, {"risk": 0.5}), (60, {"risk": 1.5})], None),
        (
            [(50, {"gateway": 5.0}), (60, {"gateway": 6.0}), (70, {"gateway": 40.0})],
            ("gateway", 70),
        ),
        # The gateway waits for the bank: both are full, and the bank is why.
        (
            [
                (50, {"gateway": 5.0, "bank.own": 80.0}),
                (70, {"gateway": 900.0, "bank.own": 400.0}),
            ],
            ("bank.own", 70),
        ),
        # One of three drills at a rate is not the rule.
        (
            [(50, {"ledger": 5.0}), *[(60, {"ledger": ms}) for ms in (5.0, 6.0, 90.0)]],
            None,
        ),
    ],
)
def test_the_hop_that_fills_up_first(
    points: list[tuple[float, dict[str, float]]], first: tuple[str, float] | None
) -> None:
    made = [(rate, {hop: Own(ms, 0) for hop, ms in own.items()}) for rate, own in points]
    assert first_to_saturate(made) == first


def point(rate: float, held: bool | None, **more: object) -> Point:
    made = Point(
        search=1, rate_per_s=rate, held=held, granted_per_s=rate * 0.97, guarantee=1.0, p95_ms=50.0,
        own={"gateway": Own(5, 1)}, reason="because <b>", wrong=False, run="a-run",
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


KNOWN = Found(
    "demo", 7, ("guarantee >= 99 %",), 12.0,
    (Knee(90.0, 94.0, None), Knee(88.0, 92.0, None), Knee(95.0, 99.0, None)),
    (point(50, True), point(94, False, p95_ms=math.inf), point(90, True, p95_ms=None)),
)  # fmt: skip


def test_the_knee_is_told_with_its_spread() -> None:
    assert KNOWN.exit_code == 0
    assert KNOWN.held_per_s == (90.0, 88.0, 95.0)
    assert KNOWN.reason == (
        "demo holds its steady state up to 90 draws a second (88 to 95 in 3 searches)"
    )
    value = json.loads(capacity_json(KNOWN))
    assert value["knee_per_s"] == {"median": 90.0, "lowest": 88.0, "highest": 95.0}
    assert [one["p95_ms"] for one in value["points"]] == [50.0, "> deadline", None]


@pytest.mark.parametrize(
    ("changed", "exit_code", "says"),
    [
        ({"knees": (Knee(62.5, None, 78.1),),
          "points": (point(62.5, True), point(78.1, None, reason="the generator was late"))}, 3,
         "held up to 62.5/s; at 78.1/s the generator was late"),
        ({"knees": (Knee(100.0, None, None),), "points": (point(100, True),)}, 3, "never broke"),
        ({"knees": (Knee(None, 20.0, None),), "points": (point(20, False),)}, 3, "even at 20/s"),
        ({"points": (point(50, True), point(60, None, wrong=True))}, 1, "money is wrong at 60/s"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_called_known(
    changed: dict[str, object], exit_code: int, says: str
) -> None:
    found = replace(KNOWN, **changed)  # type: ignore[arg-type]
    assert found.exit_code == exit_code
    assert says in found.reason
    if exit_code == 3:
        assert json.loads(capacity_json(found))["knee_per_s"] is None


def test_one_search_knows_no_spread() -> None:
    assert replace(KNOWN, knees=(Knee(48.6, 50.1, None),)).reason == (
        "demo holds its steady state up to 48.6 draws a second, and not at 50.1 "
        "(one search: the spread is not known)"
    )


def test_too_few_draws_are_told_with_the_hold_that_would_do(tmp_path: Path) -> None:
    """The shortest: a second less is too short still."""
    loaded = load_scenario(SMOKE, (), None)
    asked = Asked(SMOKE, (), None, 50.0, 2000.0, 6.0, 1, tmp_path)
    setup = Setup(asked, loaded.scenario, ("guarantee >= 99 %",), loaded.where)
    few = few_draws(setup, setup.planned(0, 40.0, 6.0)[1], 0, 40.0)
    assert few is not None
    assert few.hold_s is not None
    (line,) = few.lines
    assert "222 promised draws are planned: even if none breaks" in line
    assert line.endswith(f"299 are needed to tell; --hold {few.hold_s:g}s would do")
    for hold_s, enough in ((few.hold_s, True), (few.hold_s - 1, False)):
        plan = setup.planned(0, 40.0, hold_s)[1]
        assert (few_draws(setup, plan, 0, 40.0) is None) == enough
    never = replace(setup, steady=("guarantee >= 99.99 %",))
    found = few_draws(never, never.planned(0, 5.0, 6.0)[1], 0, 5.0)
    assert found is not None
    assert found.lines[0].endswith("; no --hold does")
    # Nor can more draws be planned where there are no borrowers for them.
    overrides = ("load.patience.deadline=600s", "load.journey.must_refuse=0.9")
    scarce = replace(setup, asked=replace(asked, overrides=overrides))
    found = few_draws(scarce, scarce.planned(0, 40.0, 6.0)[1], 0, 40.0)
    assert found is not None
    assert found.hold_s is None
    points = (replace(point(40, True), promised=222, few=few), replace(point(94, False)))
    told = replace(KNOWN, points=points)
    says = f"1 of 2 drills had too few promised draws to tell (222 to 222): --hold {few.hold_s:g}s"
    assert told.few.startswith(says)
    assert says in capacity_text(told)
    assert says in capacity_html(told)
    assert json.loads(capacity_json(told))["points"][0]["too_few"] == [line]
    assert KNOWN.few == ""
    assert "too few" not in capacity_html(KNOWN)


def test_the_hop_that_fills_up_first_is_the_first_in_the_table() -> None:
    usual = point(50, True, own={"bank.own": Own(80, 0), "gateway": Own(5, 1)})
    full = point(90, False, own={"bank.own": Own(81, 0), "gateway": Own(500, 400)})
    page = capacity_html(replace(KNOWN, points=(usual, full)))
    heads = page.partition("time in each hop")[2].partition("</tr>")[0]
    assert heads.index("<b>gateway</b>") < heads.index("bank.own")


def test_a_drill_that_could_not_be_judged_names_no_hop() -> None:
    slow = {"gateway": Own(500, 400)}
    usual, unsure, broken = point(50, True), point(90, None, own=slow), point(90, False, own=slow)
    assert replace(KNOWN, points=(usual, unsure)).first_hop is None
    assert replace(KNOWN, points=(usual, broken)).first_hop == ("gateway", 90)


def test_the_picture_has_a_dot_a_drill_and_escapes_what_it_is_told() -> None:
    page = capacity_html(KNOWN)
    assert page.count("<circle") == 3 + 2  # p95 of one is not known
    assert "because <b>" not in page
    assert "because &lt;b&gt;" in page
    text = capacity_text(KNOWN).splitlines()
    assert [line[:10] for line in text[2:5]] == ["✓      50/", "✓      90/", "✗      94/"]
    assert "> deadline" in point_line(KNOWN.points[1])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--from", "fast"], "--from"),
        (["--hold", "1s"], "from 5s"),
        (["--set", "expect={drill: [audit clean]}"], "expect.baseline"),
        (["--from", "50/s", "--to", "10/s"], "--from: found 50/s; allowed: at most --to, 10/s"),
        (["--to", "10/s"], ": load.shape: found 30/s when baseline begins; allowed: 1/s to --to"),
        (["--set", "load.patience.deadline=600s", "--set", "load.journey.must_refuse=0.9",
          "--from", "300/s"], "smoke.yaml:27: load.borrowers: found 20000; allowed: at least "),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_starts(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["capacity", str(SMOKE), *words, "--out", str(tmp_path / "runs")])
    except SystemExit as exc:
        code = int(exc.code or 0)
    assert code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_search_is_rechecked_drill_by_drill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "capacity.json").write_text(capacity_json(KNOWN))
    assert main(["recheck", str(tmp_path)]) == 2
    assert "allowed: one of its drills, each a run directory" in capsys.readouterr().err
