"""When the promise is kept as before again, and when it is not."""

import math
from collections.abc import Collection

import pytest

from harness.clock import NS_PER_S
from harness.judge.expectations import Met
from harness.judge.judge import judge, measure
from harness.judge.recovery import usual_p90
from harness.judge.view import RunView
from tests.run_views import changed, clean


def slowed(view: RunView, intents: Collection[int], by_s: int = 1) -> RunView:
    """Known to be granted so much later, of those that were."""
    attempts = tuple(
        a._replace(done_ns=(a.done_ns or 0) + by_s * NS_PER_S)
        if a.intent in intents and a.outcome == "granted"
        else a
        for a in view.attempts
    )
    return changed(view, attempts=attempts)


def test_at_once_when_nothing_was_hurt() -> None:
    assert measure(clean()).recovery.recover_s == 0


def test_waits_for_the_last_bad_window() -> None:
    # Due at 27 s to 32 s: slow after the heal at 27 s.
    found = measure(slowed(clean(), range(270, 320))).recovery
    # With at most a tenth of slow ones in [t, t + 5 s) the p90 is good again: from 31.5 s on.
    assert found.recover_s == pytest.approx(4.5, abs=0.26)
    assert not found.stuck


def busy(view: RunView, seconds: Collection[int]) -> RunView:
    """A CPU was waited for in four fifths of these seconds."""
    rows = tuple(
        row._replace(psi_share=0.8) if row.second in seconds else row for row in view.generator
    )
    return changed(view, generator=rows)


def recovered(view: RunView) -> Met:
    (found,) = [one for one in judge(view).met if one.expectation.measure == "recover_s"]
    return found


def test_slow_in_the_watch_of_a_busy_machine_accuses_nobody() -> None:
    """Draws are kept as before, and late where somebody else used the CPU: no breach, no pass."""
    slow = slowed(clean(), range(300, 410))
    alone = recovered(slow)
    assert alone.verdict == "breached"
    assert "by the p90 of its draws alone" in alone.why
    disturbed = recovered(busy(slow, range(30, 41)))
    assert disturbed.verdict == "inconclusive"
    assert "in which the generator was not well" in disturbed.why
    # Windows without a busy second are held to their p90 as before.
    assert recovered(busy(slow, (20, 21))).verdict == "breached"


def test_draws_that_are_not_kept_are_no_machines_doing() -> None:
    """A storm of the lender's own making makes its machine busy too."""
    gone = slowed(clean(), range(170, 410), by_s=60)
    assert measure(gone).recovery.stuck
    assert not measure(gone).recovery.slow_only
    assert recovered(busy(gone, range(16, 41))).verdict == "breached"


def test_never_recovered_is_stuck() -> None:
    found = measure(slowed(clean(), range(170, 500))).recovery
    assert found.recover_s is None
    assert found.stuck


# Of the promised draws of the baseline (3 s to 15 s, none of them a 20th): 11 of 114, so that its
# p90 is a quick one by the width of a draw.
UNSTEADY = range(31, 150, 11)
# One in seven from the end of the baseline on.
AFTER = range(151, 410, 7)


def test_what_the_baseline_did_too_by_chance_is_not_stuck() -> None:
    found = measure(slowed(slowed(clean(), UNSTEADY), AFTER))
    steady = found.latency["baseline"]
    assert steady.quantiles["p90"] == pytest.approx(100)
    assert steady.intervals["p90"] is not None
    assert list(steady.intervals["p90"]) == pytest.approx([100, 1100])
    assert found.recovery.recover_s == 0


def test_the_same_after_a_steady_baseline_is_stuck() -> None:
    assert measure(slowed(clean(), AFTER)).recovery.stuck


def test_far_slower_than_an_unsteady_baseline_is_stuck() -> None:
    assert measure(slowed(slowed(clean(), UNSTEADY), AFTER, by_s=3)).recovery.stuck


def test_a_baseline_that_cannot_say_how_slow_it_is_widens_nothing() -> None:
    assert usual_p90([]) is None
    assert usual_p90([1.0] * 8 + [2.0, 3.0]) == 2.0  # too few for an interval
    assert usual_p90([1.0] * 92 + [math.inf] * 8) == 1.0
    assert usual_p90([1.0] * 92 + [7.0] * 8) == 7.0
