"""How many draws a scenario plans, and what so few can't prove. Pure; known before anything runs.

Counts here are expected ones, from the rate; the intents planned by a seed differ by chance.
"""

import math
from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.scenario.measures import LATENCIES, SHARES
from harness.scenario.model import Expectation, Scenario
from harness.scenario.shapes import cumulated

BEYOND_MIN = 10
CHANCE = 0.05


def warnings_of(scenario: Scenario) -> tuple[str, ...]:
    """What will run but may not be able to prove what is expected, as sentences.

    With n promised draws planned in the phase (for `x baseline`: the smaller n of the two):

    - A quantile q needs ten draws beyond it, n * (1 - q) >= 10; with fewer it is not given at all.
    - A share bound from below (`guarantee >= 99 %`) is too fine when one single broken draw breaks
      it, n * (1 - bound) < 1: then it says "none may break", whatever its digits.
    - It is too fine too when even a run in which none breaks is no proof of it: the one-sided 95 %
      interval at none broken of n reaches from 100 % down to 0.05^(1/n), and that is below the
      bound. About 3 / (1 - bound) draws are needed: 299 for 99 %, 2995 for 99.9 %.

    A bound of 100 % says "none" on purpose and is not warned of. By money, n is the same: amounts
    of different size only make it coarser.
    """
    found = []
    for expectation in scenario.expect:
        draws = planned_promised(scenario, expectation.phase)
        if expectation.relative:
            draws = min(draws, planned_promised(scenario, "baseline"))
        why = _too_few(expectation, draws)
        if why:
            where = f"expect.{expectation.phase}: {expectation.text}"
            found.append(f"{where}: about {draws:.0f} promised draws are planned: {why}")
    return tuple(found)


def _too_few(expectation: Expectation, draws: float) -> str:
    """Why so many draws can't support an expectation; empty when they can."""
    bound, measure = expectation.bound, expectation.measure
    if measure in LATENCIES:
        share = float(measure[1:]) / 100
        if draws * (1 - share) < BEYOND_MIN - 1e-9:
            beyond, needed = draws * (1 - share), _whole(BEYOND_MIN / (1 - share))
            return f"{beyond:.1f} beyond the quantile, inconclusive below 10; {needed} are needed"
        return ""
    if measure not in SHARES or expectation.op not in (">", ">=") or not 0 < bound < 1:
        return ""
    needed = _whole(math.log(CHANCE) / math.log(bound))
    if draws * (1 - bound) < 1:
        return f"one single broken one breaks this bound; {needed} are needed to tell"
    if draws < needed:
        low = CHANCE ** (1 / draws)
        return (
            f"even if none breaks, the 95 % interval reaches down to {_percent(low)}, below the "
            f"bound; {needed} are needed to tell"
        )
    return ""


def _whole(draws: float) -> int:
    """At least so many; a last digit that is the computer's own is not one draw more."""
    return math.ceil(round(draws, 3))


def _percent(share: float) -> str:
    """Cut, not rounded: 98.999 % must not seem to reach 99 %."""
    return f"{math.floor(share * 10_000) / 100:g} %"


def planned_promised(scenario: Scenario, phase: str) -> float:
    """How many promised draws a phase (or the `drill`) is expected to be judged by: without those
    that must be refused; those that straddle the first bite count to the fault, not the baseline.
    """
    draws = sum(end - start for start, end in _spans(scenario, phase))
    return draws * (1 - scenario.load.journey.must_refuse)


def _spans(scenario: Scenario, phase: str) -> Iterator[tuple[float, float]]:
    """(before, after) of the draws expected in each time that a phase is judged by."""
    plan, timeout_s = scenario.phases, scenario.load.patience.attempt_timeout_s
    if phase == "drill":
        yield 0.0, _expected(scenario, plan.load_s)
        return
    start_s = plan.start_s(phase)
    end_s = plan.end_s(phase)
    yield _expected(scenario, start_s), _expected(scenario, end_s)
    bite_s = min((fault.at_s for fault in scenario.faults), default=math.inf)
    low_s = max(plan.start_s("baseline"), bite_s - timeout_s)
    high_s = min(plan.start_s("fault"), bite_s)
    if low_s < high_s and phase in ("baseline", "fault"):
        ends = _expected(scenario, low_s), _expected(scenario, high_s)
        yield ends if phase == "fault" else (ends[1], ends[0])


def _expected(scenario: Scenario, at_s: float) -> float:
    """How many draws are expected to be due before a moment."""
    shape = scenario.load.shape
    traced = sum(draw.due_ns < at_s * NS_PER_S for draw in shape.traced)
    return cumulated(shape.stretches, [at_s])[0] + traced
