"""The end of a load: nobody is left waiting, and nobody is waited for in vain."""

import time
from dataclasses import dataclass, field
from typing import cast

from harness.clock import NS_PER_S
from harness.draining import Bounds, drain
from harness.load.attack import Attack, Progress
from harness.target.protocol import Target


@dataclass
class Unknown:
    """A load with one unknown that ends when it is given up, and never else; a lender that knows
    nothing of it, and may hold money for ever."""

    held: int = 0
    rests: bool = True
    heard: bool = True
    given_up: list[float] = field(default_factory=list)

    def give_up(self) -> None:
        self.given_up.append(time.monotonic_ns())

    def pending(self) -> int:
        return self.held

    def at_rest(self) -> bool:
        return self.rests

    def look(self) -> Progress | None:
        return Progress(finished=bool(self.given_up)) if self.heard else None

    def drain(self, bounds: Bounds, *, holds: bool = True) -> bool:
        return drain(cast(Attack, self), cast(Target, self), bounds, self.look, holds=holds)


def bounds(patience_s: float, resolve_s: float, end_s: float) -> Bounds:
    now_ns = time.monotonic_ns()
    at_ns = [now_ns + round(s * NS_PER_S) for s in (patience_s, resolve_s, end_s)]
    return Bounds(*at_ns)


def test_what_a_lender_at_rest_does_not_know_is_given_up_after_the_patience() -> None:
    load, within = Unknown(), bounds(0.3, 60, 60)
    assert load.drain(within)
    assert len(load.given_up) == 1
    assert load.given_up[0] > within.patient_ns


def test_a_lender_that_never_rests_is_given_its_time_and_no_more() -> None:
    load, within = Unknown(rests=False), bounds(0.1, 0.6, 60)
    assert load.drain(within)
    assert len(load.given_up) == 1
    assert load.given_up[0] > within.give_up_ns


def test_money_that_stays_held_is_said_unless_nobody_wants_to_wait() -> None:
    assert not Unknown(held=1, rests=False).drain(bounds(0, 0, 0.7))
    assert Unknown(held=1, rests=False).drain(bounds(0, 0, 60), holds=False)


def test_a_master_that_is_gone_is_not_waited_for() -> None:
    assert not Unknown(heard=False).drain(bounds(60, 60, 60))
