"""What a set of drills gave, for every report of it: one value, made once."""

from dataclasses import dataclass

from harness.suite.catalogue import Drill
from harness.suite.checks import Check, Whole
from harness.suite.seen import Seen


@dataclass(frozen=True, slots=True)
class Row:
    """One drill that was run, in one arm. took_s: from start to verdict. judged: does its verdict
    count for the set? The second arm of a comparison is there to be breached."""

    drill: Drill
    arm: str
    took_s: float
    seen: Seen
    judged: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """name: of the set. arm: which one was asked for. profile: instead of the drills' own.
    reseed: what their seeds have more than the drills' own."""

    name: str
    arm: str
    profile: str | None
    order: str
    reseed: int
    rows: tuple[Row, ...]
    checks: tuple[Check, ...]
    whole: Whole
    not_run: tuple[str, ...]
