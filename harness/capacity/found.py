"""What a search for a lender's capacity found, and capacity.json. Pure."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.capacity.search import Knee
from harness.judge.saturation import Own, first_to_saturate

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Few:
    """What the planned draws of one rate are too few to prove, in words. hold_s: the shortest hold
    that would do, whole seconds; None: none that may be asked for."""

    what: tuple[str, ...]
    hold_s: float | None

    @property
    def lines(self) -> tuple[str, ...]:
        """A warning each."""
        mend = "no --hold does" if self.hold_s is None else f"--hold {self.hold_s:g}s would do"
        return tuple(f"{text}; {mend}" for text in self.what)


@dataclass(frozen=True, slots=True)
class Point:
    """One drill at one steady rate without faults.

    held: did every expectation of the steady state hold? None: it can't be told, see `reason`.
    promised: draws it was judged by. granted_per_s: those granted in time, a second. few: None when
    they are enough for all that is expected. p95_ms: None with too little data, inf
    beyond the deadline. own: time spent in each hop itself, a draw. wrong: the audit was breached.
    """

    search: int
    rate_per_s: float
    held: bool | None
    granted_per_s: float
    guarantee: float | None
    p95_ms: float | None
    own: Mapping[str, Own]
    reason: str
    wrong: bool
    run: str
    promised: int = 0
    few: Few | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All of it: a knee a search, every point, and what the steady state was."""

    scenario: str
    seed: int
    steady: tuple[str, ...]
    hold_s: float
    knees: tuple[Knee, ...]
    points: tuple[Point, ...]

    @property
    def held_per_s(self) -> tuple[float, float, float] | None:
        """Median, lowest and highest of the knees; None unless every search found one."""
        known = [k.held_per_s for k in self.knees if k.held_per_s and k.broken_per_s]
        if not known or len(known) < len(self.knees):
            return None
        return statistics.median(known), min(known), max(known)

    @property
    def few(self) -> str:
        """One sentence when some of the drills had too few draws; empty when none had."""
        short = [point.few for point in self.points if point.few is not None]
        if not short:
            return ""
        draws = [point.promised for point in self.points if point.few is not None]
        holds = [one.hold_s for one in short]
        known = [hold_s for hold_s in holds if hold_s is not None]
        mend = f"--hold {max(known):g}s would do" if len(known) == len(holds) else "no --hold does"
        return (
            f"{len(short)} of {_count(len(self.points), 'drill', 'drills')} had too few promised "
            f"draws to tell ({min(draws)} to {max(draws)}): {mend} for each"
        )

    @property
    def first_hop(self) -> tuple[str, float] | None:
        """The hop that saturates first, and at which rate; of drills that could be judged alone:
        on a machine that was not well every hop is slow."""
        return first_to_saturate(
            [(point.rate_per_s, point.own) for point in self.points if point.held is not None]
        )

    @property
    def exit_code(self) -> int:
        """0: the knee is known. 1: money was wrong on the way. 3: the knee is not known."""
        if any(point.wrong for point in self.points):
            return 1
        return 0 if self.held_per_s is not None else 3

    @property
    def reason(self) -> str:
        """One sentence."""
        wrong = next((point for point in self.points if point.wrong), None)
        if wrong is not None:
            return f"the money is wrong at {wrong.rate_per_s:g}/s: {wrong.reason}"
        spread = self.held_per_s
        if spread is not None:
            middle, low, high = spread
            if len(self.knees) == 1:
                return (
                    f"{self.scenario} holds its steady state up to {middle:g} draws a second, and "
                    f"not at {self.knees[0].broken_per_s:g} (one search: the spread is not known)"
                )
            return (
                f"{self.scenario} holds its steady state up to {middle:g} draws a second "
                f"({low:g} to {high:g} in {_count(len(self.knees), 'search', 'searches')})"
            )
        odd = next(k for k in self.knees if not (k.held_per_s and k.broken_per_s))
        if odd.unsure_per_s is not None:
            point = next(p for p in self.points if p.held is None)
            upto = f"held up to {odd.held_per_s:g}/s; " if odd.held_per_s else ""
            return f"the knee is not known: {upto}at {odd.unsure_per_s:g}/s {point.reason}"
        if odd.held_per_s is None:
            return f"the steady state did not hold even at {_lowest(self.points):g}/s"
        return f"the steady state never broke: it held at {odd.held_per_s:g}/s, the most tried"


def _lowest(points: Sequence[Point]) -> float:
    return min(point.rate_per_s for point in points)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def capacity_json(found: Found) -> str:
    """capacity.json: fixed order, no time stamps; rates are draws a second, times ms."""
    spread, first = found.held_per_s, found.first_hop
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": found.scenario,
        "seed": found.seed,
        "exit_code": found.exit_code,
        "reason": found.reason,
        "steady_state": list(found.steady),
        "hold_s": found.hold_s,
        "too_few": found.few or None,
        "knee_per_s": None
        if spread is None
        else {"median": spread[0], "lowest": spread[1], "highest": spread[2]},
        "first_to_saturate": None if first is None else {"hop": first[0], "at_per_s": first[1]},
        "searches": [
            {
                "held_per_s": knee.held_per_s,
                "broken_per_s": knee.broken_per_s,
                "unsure_per_s": knee.unsure_per_s,
            }
            for knee in found.knees
        ],
        "points": [_point(point) for point in found.points],
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _point(point: Point) -> dict[str, Any]:
    return {
        "search": point.search,
        "rate_per_s": point.rate_per_s,
        "held": point.held,
        "promised": point.promised,
        "too_few": [] if point.few is None else list(point.few.lines),
        "granted_per_s": point.granted_per_s,
        "guarantee": point.guarantee,
        "p95_ms": "> deadline" if point.p95_ms == float("inf") else point.p95_ms,
        "own_ms": {hop: round(own.ms, 3) for hop, own in sorted(point.own.items())},
        "queue_ms": {hop: round(own.queue_ms, 3) for hop, own in sorted(point.own.items())},
        "reason": point.reason,
        "run": point.run,
    }
