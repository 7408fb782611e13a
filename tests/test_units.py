"""Quantities read and written; named random streams; the manual clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import ManualClock, MonotonicClock
from harness.errors import Problem, ScenarioError
from harness.scenario.model import PHASES, PhasePlan
from harness.seeds import draw_key, stream
from harness.units import (
    format_yuan,
    parse_duration_s,
    parse_range_s,
    parse_rate_per_s,
    parse_share,
    parse_yuan_fen,
    parse_yuan_range_fen,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("80ms", 0.08), ("5s", 5.0), ("1.5 s", 1.5), ("2min", 120.0), ("1h", 3600.0), ("7us", 7e-6)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", 5, "-1s", "s", "5 parsecs", None, "1e3s", "5s5s"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration_s(text)


def test_ranges_and_rates_and_shares() -> None:
    assert parse_range_s("0.3s..1s") == (0.3, 1.0)
    assert parse_range_s("2s") == (2.0, 2.0)
    assert parse_rate_per_s("60/s") == 60.0
    assert parse_rate_per_s("90/min") == 1.5
    assert parse_share("50 %") == 0.5
    assert parse_share(0.03) == 0.03
    with pytest.raises(ValueError, match="smaller first"):
        parse_range_s("1s..0.3s")
    for no_rate in ("60", 60, "60/fortnight"):
        with pytest.raises(ValueError, match="rate"):
            parse_rate_per_s(no_rate)
    for no_share in ("101 %", 1.01, -0.1, True, "half"):
        with pytest.raises(ValueError, match="share"):
            parse_share(no_share)


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_yuan_lose_no_fen(amount_fen: int) -> None:
    text = format_yuan(amount_fen)
    assert int(text.replace("¥", "").replace(",", "").replace(".", "")) == amount_fen


def test_streams_are_named_and_independent() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    assert stream(1, "a").random() != stream(1, "b").random()
    assert stream(1, "a").random() != stream(2, "a").random()


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_one_key_an_intent(first: int, second: int) -> None:
    assert (draw_key(7, first) == draw_key(7, second)) == (first == second)


def test_clocks() -> None:
    manual = ManualClock()
    manual.sleep_until_ns(5)
    manual.sleep_until_ns(3)
    assert manual.now_ns() == 5
    real = MonotonicClock()
    at_ns = real.now_ns() + 2_000_000
    real.sleep_until_ns(at_ns)
    assert real.now_ns() >= at_ns


@given(st.floats(0, 60))
def test_every_moment_has_the_phase_it_falls_in(at_s: float) -> None:
    plan = PhasePlan(warmup_s=3, baseline_s=12, fault_s=14, watch_s=12)
    phase = plan.phase_at(at_s)
    ends = (*PHASES[1:], "drain")
    if phase == "drain":
        assert at_s >= plan.load_s == 41
    else:
        assert plan.start_s(phase) <= at_s < plan.start_s(ends[PHASES.index(phase)])


def test_a_problem_says_where_what_and_what_instead() -> None:
    error = ScenarioError((Problem("a.yaml", 3, "load.rate", "'x'", "a rate such as 60/s"),))
    assert str(error) == "a.yaml:3: load.rate: found 'x'; allowed: a rate such as 60/s"
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("text", "fen"), [("700 yuan", 70_000), ("0.5 yuan", 50), (" 1.25yuan ", 125), ("0 yuan", 0)]
)
def test_yuan(text: str, fen: int) -> None:
    assert parse_yuan_fen(text) == fen
    assert parse_yuan_range_fen(f"{text}..700 yuan") == (fen, 70_000)


@pytest.mark.parametrize("text", ["700", 700, "-1 yuan", "1.255 yuan", "yuan", "7 fen", None])
def test_what_is_no_amount(text: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_yuan_fen(text)
    for both in (f"{text}..1000 yuan", f"1 yuan..{text}", "9 yuan..1 yuan", "5 yuan", text):
        with pytest.raises(ValueError, match="amount"):
            parse_yuan_range_fen(both)
