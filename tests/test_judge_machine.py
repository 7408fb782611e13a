"""What the machine did is not held against the lender, nor is a fault that slipped."""

import math
from dataclasses import replace

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import MACHINE
from harness.judge.health import bad_seconds, judged_seconds
from harness.judge.judge import judge
from harness.judge.view import RunView
from harness.report.text import summary
from tests.run_views import T0_NS, broken, changed, clean, scenario


def due_in(view: RunView, low: int, high: int) -> list[int]:
    """Intents that fell due in seconds low .. high - 1."""
    low_ns, high_ns = T0_NS + low * NS_PER_S, T0_NS + high * NS_PER_S
    return [one.intent for one in view.intents if low_ns <= one.due_ns < high_ns]


def lagging(view: RunView, seconds: range) -> RunView:
    """The heartbeat overslept in these seconds."""
    rows = tuple(
        row._replace(lag_ns_max=300 * NS_PER_MS) if row.second in seconds else row
        for row in view.generator
    )
    return replace(view, generator=rows)


def test_a_second_is_bad_by_what_was_due_in_it_and_sent_late() -> None:
    view = clean()
    numbers = set(due_in(view, 10, 12))
    assert numbers
    attempts = tuple(
        a._replace(sent_ns=(a.sent_ns or 0) + 2 * NS_PER_S, done_ns=(a.done_ns or 0) + 2 * NS_PER_S)
        if a.intent in numbers
        else a
        for a in view.attempts
    )
    late = changed(view, attempts=attempts)
    assert bad_seconds(late) == {10, 11}
    assert "draws that were due in 2 of them were sent late" in judge(late).reason


def test_a_breach_by_bad_seconds_alone_accuses_nobody() -> None:
    """One bad second is a hiccup, but what broke in it may not breach by itself."""
    view = clean()
    numbers = due_in(view, 6, 7)
    hurt = broken(view, range(min(numbers), max(numbers) + 1))
    assert judge(hurt).exit_code == 1, "the lender's, when the generator was well"
    verdict = judge(lagging(hurt, range(6, 7)))
    assert verdict.exit_code == 3
    assert "only with the draws due in seconds in which the generator was not well" in (
        verdict.reason
    )
    both = broken(hurt, range(max(numbers) + 1, max(numbers) + 30))
    assert judge(lagging(both, range(6, 7))).exit_code == 1, "broken in well seconds too"


def test_what_broke_in_bad_seconds_of_the_watch_alone_breaches_no_drill() -> None:
    asked = scenario('expect.drill=["guarantee >= 99 %"]', "expect.fault=[]")
    numbers = due_in(clean(), 38, 40)
    hurt = replace(broken(clean(), range(min(numbers), max(numbers) + 1)), scenario=asked)
    assert judge(hurt).exit_code == 1, "the lender's, when the generator was well"
    verdict = judge(lagging(hurt, range(38, 40)))
    assert verdict.exit_code == 3
    assert "guarantee >= 99 %" in verdict.reason
    assert "generator was not well" in verdict.reason


def test_the_watch_is_judged_where_something_is_expected_of_it() -> None:
    view = clean()
    phases = view.scenario.phases
    watch = range(int(phases.start_s("watch")), int(phases.load_s))
    assert judge(lagging(view, watch)).exit_code == 3
    rest = tuple(e for e in view.scenario.expect if e.measure not in ("recover_s", "rto_s"))
    indifferent = replace(view, scenario=replace(view.scenario, expect=rest))
    assert judged_seconds(indifferent).stop == math.ceil(phases.start_s("watch"))
    assert judge(lagging(indifferent, watch)).exit_code == 0


def test_no_descriptor_left_is_the_machines() -> None:
    view = broken(clean(), range(40, 41))
    attempts = tuple(
        a._replace(outcome="failed", status=0, hop=MACHINE, reason="EMFILE")
        if a.intent == 40
        else a
        for a in view.attempts
    )
    verdict = judge(changed(view, attempts=attempts))
    assert verdict.exit_code == 3
    assert "had no descriptor or port left" in verdict.reason
    assert verdict.parts.guarantee.broken_by[0].hop == MACHINE


@pytest.mark.parametrize("late_s", [0.9, 1.5])
def test_a_fault_that_came_late_is_not_the_planned_one(late_s: float) -> None:
    view = clean()
    (fault,) = view.faults
    assert fault.injected_ns is not None
    slipped = replace(fault, planned_ns=fault.injected_ns - round(late_s * NS_PER_S))
    doubts = " ".join(judge(replace(view, faults=(slipped,))).doubts)
    assert ("injected 1.5 s late" in doubts) == (late_s > 1)


def slow_from(view: RunView, second: int, to: int) -> RunView:
    """All that fell due in these seconds was granted a second late, and nothing broke."""
    numbers = set(due_in(view, second, to))
    attempts = tuple(
        a._replace(done_ns=(a.done_ns or 0) + NS_PER_S)
        if a.intent in numbers and a.outcome == "granted"
        else a
        for a in view.attempts
    )
    return changed(view, attempts=attempts)


def recovered(view: RunView) -> tuple[str, str]:
    """The verdict on the expectation of recovery, and why."""
    met = next(one for one in judge(view).met if one.expectation.measure == "recover_s")
    return met.verdict, met.why


def test_recovery_that_fails_in_bad_seconds_alone_accuses_nobody() -> None:
    hurt = slow_from(clean(), 37, 41)
    assert recovered(hurt)[0] == "breached", "when the generator was well"
    verdict, why = recovered(lagging(hurt, range(37, 41)))
    assert verdict == "inconclusive"
    assert "stuck" in why
    assert "generator was not well" in why


def test_recovery_that_fails_in_well_seconds_too_is_a_breach() -> None:
    hurt = slow_from(clean(), 28, 41)
    assert recovered(lagging(hurt, range(39, 41)))[0] == "breached"


def test_no_well_window_is_no_recovery_and_no_stuck_lender() -> None:
    verdict, _ = recovered(lagging(slow_from(clean(), 27, 41), range(27, 41)))
    assert verdict == "inconclusive"


def test_the_terminal_says_why_an_expectation_is_open() -> None:
    view = lagging(slow_from(clean(), 37, 41), range(37, 41))
    (line,) = [one for one in summary(view, judge(view)).splitlines() if "recovered within" in one]
    assert "? drill: recovered within 6 s" in line
    assert "stuck" in line
    assert "generator was not well" in line
