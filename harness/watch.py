"""While load runs: the live estimate, the abort rules, and who has died."""

import operator
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.draining import Bounds, drain
from harness.errors import HarnessError, SafetyError, TargetError
from harness.guardian.client import Guardian
from harness.load.attack import LIVE_S, MASTER, Attack, LoadLost, Progress
from harness.nemesis.nemesis import Nemesis
from harness.scenario.model import AbortRule, Scenario
from harness.stopping import StopFlag
from harness.target.protocol import Target

TIMED_OUT_S = 2.0
TICK_S = 0.2
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Glance:
    """What the live view shows. Rates are per second over the last second or so; `estimate` is
    granted ÷ due, over draws due in the LIVE_S that ended one attempt_timeout ago, None while there
    are none."""

    at_s: float
    phase: str
    offered_per_s: float
    granted_per_s: float
    estimate: float | None
    in_flight: int
    faults: tuple[str, ...]


def broken_rule(rules: Sequence[AbortRule], progress: Progress) -> AbortRule | None:
    """The first abort rule whose condition holds for the draws due within its `for`; no data breaks
    none. Pure.

    The rule's own `for` is the window, not a time for which the estimate of another window has to
    stay beyond the bound: a total outage then breaks any rule `for` after it began, and what came
    before it counts for nothing.
    """
    for rule in rules:
        estimate = progress.estimate(rule.for_s)
        if estimate is not None and OPERATORS[rule.op](estimate, rule.bound):
            return rule
    return None


class Watch:
    """Looks at everything that runs, several times a second, until the load has finished."""

    def __init__(
        self,
        scenario: Scenario,
        guardian: Guardian,
        attack: Attack,
        nemesis: Nemesis,
        target: Target,
        stop: StopFlag,
        show: Callable[[Glance], None],
    ) -> None:
        self._scenario = scenario
        self._guardian = guardian
        self._attack = attack
        self._nemesis = nemesis
        self._target = target
        self._stop = stop
        self._show = show
        self._seen: list[Progress] = []
        self._last_outcome = (0.0, 0)

    def until(self, t0_ns: int, at_s: float) -> None:
        """Watch until `at_s` after t = 0, or until the load has ended."""
        while (now_s := (time.monotonic_ns() - t0_ns) / NS_PER_S) < at_s:
            progress = self._look()
            if progress.finished:
                return
            self._judge(now_s, progress)
            self._show(self._glance(now_s, progress))
            time.sleep(min(TICK_S, max(0.0, at_s - now_s)))

    def drained(self, t0_ns: int, bounds: Bounds) -> bool:
        """Watch until nothing is in flight and no hold is open; False: it took too long."""

        def look() -> Progress:
            progress = self._look()
            self._show(self._glance((time.monotonic_ns() - t0_ns) / NS_PER_S, progress))
            return progress

        return drain(self._attack, self._target, bounds, look)

    def drained_early(self, bounds: Bounds, *, holds: bool) -> bool:
        """The same for a drill that was stopped: nothing stops it a second time, and who has died
        is told to the load's master, that it need not wait."""

        def look() -> Progress | None:
            self._guardian.check()
            progress = self._attack.progress()
            for gone in self._guardian.exits():
                if gone.name == MASTER and not progress.finished:
                    return None
                if gone.status != 0:
                    self._attack.gone(gone.name, gone.status)
            return progress

        return drain(self._attack, self._target, bounds, look, holds=holds)

    def _look(self) -> Progress:
        self._stop.check()
        self._guardian.check()
        for gone in self._guardian.exits():
            blame = TargetError if gone.name == "lender" else HarnessError
            if gone.status != 0 and self._attack.gone(gone.name, gone.status):
                continue  # the master says what is missing
            if gone.name == "lender" or gone.status != 0:
                raise blame(f"{gone.name} ended in the middle of the drill (status {gone.status})")
        progress = self._attack.progress()
        if progress.failure is not None:
            raise HarnessError(progress.failure)
        if progress.lost is not None:
            raise LoadLost(progress.lost)
        failure = self._nemesis.failure()
        if failure is not None:
            raise SafetyError(failure)
        return progress

    def _judge(self, now_s: float, progress: Progress) -> None:
        """Abort rules, and blindness: draws fall due and no attempt has any outcome."""
        # No attempt that hangs has an outcome before its timeout: that is not blindness yet.
        timeout_s = self._scenario.load.patience.attempt_timeout_s
        blind_s = max(self._scenario.safety.blind_after_s, timeout_s + TIMED_OUT_S)
        if progress.attempted > self._last_outcome[1] or progress.due == 0:
            self._last_outcome = (now_s, progress.attempted)
        elif now_s - self._last_outcome[0] > blind_s and now_s < self._scenario.phases.load_s:
            raise SafetyError(f"blind: no outcome of any attempt for {blind_s:g} s")
        rule = broken_rule(self._scenario.abort, progress)
        if rule is not None:
            raise SafetyError(f"abort rule: {rule.text}")

    def _glance(self, now_s: float, progress: Progress) -> Glance:
        if not self._seen or progress.at_ns > self._seen[-1].at_ns:
            self._seen = [*self._seen[-2:], progress]
        first = self._seen[0]
        span_s = max((progress.at_ns - first.at_ns) / NS_PER_S, TICK_S)
        return Glance(
            at_s=now_s,
            phase=self._scenario.phases.phase_at(now_s),
            offered_per_s=(progress.due - first.due) / span_s,
            granted_per_s=(progress.granted - first.granted) / span_s,
            estimate=progress.estimate(LIVE_S),
            in_flight=progress.in_flight,
            faults=tuple(self._nemesis.active()),
        )
