"""Drift within the baseline: exact where it can be counted, and its false alarms are as claimed."""

import math
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS
from harness.judge.drift import BLOCKS_MAX, DOUBT_P, NOTE_P, drift, mann_kendall, trend
from harness.judge.judge import judge, measure
from harness.seeds import stream
from tests.run_views import T0_NS, broken, changed, clean

SEQUENCES = 400


def test_the_p_value_is_that_of_all_orders() -> None:
    """Of eight values all orders can be counted: the approximation is near, at both ends."""
    scores = sorted(
        abs(sum((b > a) - (b < a) for i, a in enumerate(order) for b in order[i + 1 :]))
        for order in permutations(range(8))
    )
    for order in (range(8), [0, 1, 2, 4, 3, 5, 7, 6], [3, 0, 4, 1, 5, 2, 6, 7]):
        score = abs(sum((b > a) - (b < a) for i, a in enumerate(order) for b in order[i + 1 :]))
        exact = sum(one >= score for one in scores) / len(scores)
        assert mann_kendall(list(order)) == pytest.approx(exact, abs=0.012)


@given(st.lists(st.integers(0, 5).map(float), min_size=8, max_size=30))
def test_it_is_two_sided_and_about_ranks_alone(values: list[float]) -> None:
    found = mann_kendall(values)
    assert 0 < found <= 1
    assert mann_kendall(values[::-1]) == pytest.approx(found)
    assert mann_kendall([math.exp(value) for value in values]) == pytest.approx(found)


def _steady(number: int, count: int, kind: str) -> list[float]:
    """A stationary sequence: medians of so many log-normal latencies, or shares of ten draws."""
    dice = stream(20260211, f"steady {kind} {number}")
    if kind == "latency":
        return [sorted(dice.lognormvariate(4.5, 0.6) for _ in range(9))[4] for _ in range(count)]
    return [sum(dice.random() < 0.97 for _ in range(10)) / 10 for _ in range(count)]


@pytest.mark.parametrize("kind", ["latency", "share"])
@pytest.mark.parametrize("count", [8, 12, 30])
def test_false_alarms_of_steady_baselines_are_as_rare_as_claimed(kind: str, count: int) -> None:
    p_values = [mann_kendall(_steady(number, count, kind)) for number in range(SEQUENCES)]
    for level in (NOTE_P, DOUBT_P):
        alarms = sum(p < level for p in p_values)
        # Three standard deviations above the claim; the seeds are fixed, so this never flakes.
        most = level * SEQUENCES + 3 * math.sqrt(level * (1 - level) * SEQUENCES)
        assert alarms <= most, (kind, count, level, alarms)


def _large(first: float, last: float) -> bool:
    return abs(last - first) >= 0.02


def test_a_real_drift_is_found() -> None:
    """Latency that rises by 6 % a second over twelve seconds: found nearly always, at 1 %."""
    found = 0
    for number in range(100):
        values = [v * 1.06**at for at, v in enumerate(_steady(number, 12, "latency"))]
        found += mann_kendall(values) < NOTE_P
    assert found >= 50


def test_significant_alone_is_a_note_and_large_besides_a_doubt() -> None:
    rising = [n / 1000 for n in range(12)]
    small = trend(rising, _large)
    large = trend([n * 10 for n in rising], _large)
    assert small is not None
    assert large is not None
    assert (small.verdict, large.verdict) == ("note", "doubt")
    assert small.p_value == large.p_value < 0.001
    flat = trend([1.0] * 12, _large)
    assert flat is not None
    assert (flat.p_value, flat.verdict) == (1.0, "steady")
    assert trend(rising[:7], _large) is None


def test_a_baseline_that_gets_slower_is_doubted() -> None:
    view = clean()

    def slower(ms_each: float) -> tuple[str, list[str]]:
        attempts = tuple(
            a._replace(done_ns=(a.done_ns or 0) + round(ms_each * a.intent) * NS_PER_MS)
            if a.outcome == "granted" and a.intent < 150
            else a
            for a in view.attempts
        )
        verdict = judge(changed(view, attempts=attempts))
        found = verdict.parts.drift.latency_p50
        assert found is not None
        return found.verdict, [doubt for doubt in verdict.doubts if "drifted" in doubt]

    assert slower(0) == ("steady", [])
    assert slower(0.1) == ("note", [])  # 15 ms more of 100: a trend, and nothing turns on it
    verdict, doubts = slower(1.5)
    assert verdict == "doubt"
    assert "median latency from" in doubts[0]


def test_a_baseline_that_breaks_more_and_more_is_doubted() -> None:
    # From the seventh second on one draw a second more than in the one before.
    gone = [70 + 10 * second + n for second in range(8) for n in range(second)]
    view = clean()
    for number in gone:
        view = broken(view, range(number, number + 1))
    found = measure(view).drift.guarantee
    assert found is not None
    assert (found.verdict, found.first) == ("doubt", 1.0)


def test_straddlers_and_other_phases_are_left_out_and_a_short_baseline_is_no_data() -> None:
    view = broken(clean(), range(150, 300))
    found = measure(view).drift
    assert found.guarantee is not None
    assert found.guarantee.verdict == "steady"
    few = changed(view, intents=tuple(i for i in view.intents if not 30 <= i.intent < 90))
    short = drift(few, measure(few).ends)
    assert short.guarantee is short.latency_p50 is None


def test_a_long_baseline_is_put_together_into_blocks() -> None:
    view = clean()
    hour = replace(view.scenario.phases, baseline_s=3600.0)
    longer = replace(view, scenario=replace(view.scenario, phases=hour))
    ends = [
        replace(end, intent=end.intent._replace(phase="baseline", straddling=False,
                                                due_ns=T0_NS + n * 8 * 10**9))
        for n, end in enumerate(measure(view).ends)
    ]  # fmt: skip
    found = drift(longer, ends).guarantee
    assert found is not None
    assert 100 <= found.values <= BLOCKS_MAX
