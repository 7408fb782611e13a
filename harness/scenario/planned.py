"""What so few planned draws can't prove. Pure; known before anything runs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.scenario.measures import LATENCIES, SHARES
from harness.scenario.model import Expectation

BEYOND_MIN = 10
CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class TooFew:
    """draws: how many are planned; needed: how many would do. expectation: as its author wrote it,
    empty when the phase has no draw at all."""

    phase: str
    expectation: str
    draws: int
    needed: int
    why: str

    def __str__(self) -> str:
        if not self.expectation:
            return f"expect.{self.phase}: {self.why}"
        planned = "1 promised draw is" if self.draws == 1 else f"{self.draws} promised draws are"
        return f"expect.{self.phase}: {self.expectation}: {planned} planned: {self.why}"


def too_few(
    expectations: Iterable[Expectation], promised: Mapping[str, int], offered: Mapping[str, int]
) -> tuple[TooFew, ...]:
    """Warnings, those of empty phases first.

    promised: how many promised draws each phase and the `drill` will be judged by; offered: the
    withheld ones with them, by which access is judged. With n of them (for `x baseline`: the
    smaller n of the two):

    - A quantile q needs ten draws beyond it, n * (1 - q) >= 10; with fewer it is not given at all.
    - A share bound from below (`guarantee >= 99 %`) is too fine when one single broken draw breaks
      it, n * (1 - bound) < 1: then it says "none may break", whatever its digits.
    - It is too fine too when even a run in which none breaks is no proof of it: the one-sided 95 %
      interval at none broken of n reaches from 100 % down to 0.05^(1/n), and that is below the
      bound. About 3 / (1 - bound) draws are needed: 299 for 99 %, 2995 for 99.9 %.

    A bound of 100 % says "none" on purpose and is not warned of. By money, n is the same: amounts
    of different size only make it coarser.
    """
    empty = [phase for phase in ("baseline", "fault", "watch") if not promised[phase]]
    found = [TooFew(phase, "", 0, 1, _nothing(phase)) for phase in empty]
    for one in expectations:
        known = offered if one.measure.startswith("access") else promised
        draws = min(known[one.phase], known["baseline"]) if one.relative else known[one.phase]
        needed, why = _why(one, draws)
        if why and draws:  # of none at all the phase's own warning says enough
            found.append(TooFew(one.phase, one.text, draws, needed, why))
    return tuple(found)


def _nothing(phase: str) -> str:
    """Every run needs something promised in baseline and in fault."""
    result = "nothing expected of it can be judged" if phase == "watch" else "it is inconclusive"
    return f"no promised draw is planned in this phase: whatever the run does, {result}"


def _why(expectation: Expectation, draws: int) -> tuple[int, str]:
    """(how many draws are needed, why so many can't support it); nothing when they can."""
    bound, measure = expectation.bound, expectation.measure
    if measure in LATENCIES:
        share = float(measure[1:]) / 100
        if draws * (1 - share) < BEYOND_MIN - 1e-9:
            beyond, needed = draws * (1 - share), _whole(BEYOND_MIN / (1 - share))
            return needed, (
                f"{beyond:.1f} beyond the quantile, inconclusive below 10; {needed} are needed"
            )
        return 0, ""
    if measure not in SHARES or expectation.op not in (">", ">=") or not 0 < bound < 1:
        return 0, ""
    needed = _whole(math.log(CHANCE) / math.log(bound))
    if draws * (1 - bound) < 1:
        return needed, f"one single broken one breaks this bound; {needed} are needed to tell"
    if draws < needed:
        low = CHANCE ** (1 / draws)
        return needed, (
            f"even if none breaks, the 95 % interval reaches down to {_percent(low)}, below the "
            f"bound; {needed} are needed to tell"
        )
    return 0, ""


def _whole(draws: float) -> int:
    """At least so many; a last digit that is the computer's own is not one draw more."""
    return math.ceil(round(draws, 3))


def _percent(share: float) -> str:
    """Cut, not rounded: 98.999 % must not seem to reach 99 %."""
    return f"{math.floor(share * 10_000) / 100:g} %"
