"""Which figures are compared, which way is better, and which difference matters."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from harness.errors import Problem, ScenarioError
from harness.units import parse_duration_s, parse_share


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a digest.

    key: `phase.measure`. kind: how two values differ: `share` by subtraction, shown in points;
    `s` and `ratio` by subtraction; `ms` by the logarithm of their quotient, shown in per cent.
    up: is more of it better? margin: the smallest difference that matters, in the same terms
    (0.01: a point; for `ms` the logarithm of the factor).
    """

    key: str
    kind: Literal["share", "ms", "s", "ratio"]
    up: bool
    margin: float

    def difference(self, base: float, candidate: float) -> float | None:
        """Candidate less base; None when it can't be had (a latency of nothing)."""
        if self.kind != "ms":
            return candidate - base
        return math.log(candidate / base) if base > 0 and candidate > 0 else None

    def shown(self, difference: float) -> str:
        """A difference, for people, with its sign."""
        if self.kind == "share":
            return f"{difference * 100:+.2f} points"
        if self.kind == "ms":
            return f"{(math.exp(difference) - 1) * 100:+.1f} %"
        return f"{difference:+.2f} s" if self.kind == "s" else f"{difference:+.3f}"

    def between(self, low: float, high: float) -> str:
        """An interval of differences, the unit once."""
        first, last = self.shown(low), self.shown(high)
        return f"{first.partition(' ')[0]} to {last}"

    def value_shown(self, value: float) -> str:
        """A value, for people."""
        if self.kind == "share":
            return f"{value * 100:.2f} %"
        return {"ms": f"{value:.0f} ms", "s": f"{value:.2f} s", "ratio": f"{value:.3f}"}[self.kind]

    @property
    def margin_shown(self) -> str:
        """Without a sign."""
        return self.shown(self.margin).lstrip("+")


POINT, FACTOR = 0.01, math.log(1.15)
# Six beside the primary one: with 8 pairs the smallest p-value is 2/256, and 6 times that is 4.7 %.
# A seventh could never be told apart from chance with so few.
USUAL = (
    Measure("drill.guarantee", "share", up=True, margin=POINT),
    Measure("drill.guarantee_money", "share", up=True, margin=POINT),
    Measure("drill.access", "share", up=True, margin=POINT),
    Measure("baseline.p50", "ms", up=False, margin=FACTOR),
    Measure("fault.p95", "ms", up=False, margin=FACTOR),
    Measure("drill.recover_s", "s", up=False, margin=1.0),
    Measure("drill.amplification", "ratio", up=False, margin=0.1),
)
PHASES = ("drill", "baseline", "fault", "watch")
SHARES = ("guarantee", "guarantee_money", "access")
LATENCIES = ("p50", "p90", "p95", "p99", "p99.9")
SECONDS = ("recover_s", "rto_s", "detect_s", "exposed_s")


def chosen(primary: str | None, margins: tuple[str, ...]) -> tuple[Measure, ...]:
    """The usual measures, the primary one first, with the margins asked for (`KEY=VALUE`).

    Raises ScenarioError.
    """
    found = list(USUAL)
    if primary is not None:
        first = measure_named(primary, "--primary")
        rest = [one for one in found if one.key != first.key]
        found = [first, *rest[: len(USUAL) - 1]]
    for text in margins:
        key, _, raw = text.partition("=")
        wanted = measure_named(key, "--margin")
        at = next((n for n, one in enumerate(found) if one.key == wanted.key), None)
        if at is None:
            raise _mistake("--margin", repr(key), f"one of {', '.join(m.key for m in found)}")
        found[at] = replace(found[at], margin=_margin(found[at], raw))
    return tuple(found)


def measure_named(key: str, option: str) -> Measure:
    """With the usual margin of its kind. Raises ScenarioError."""
    for one in USUAL:
        if one.key == key:
            return one
    phase, _, name = key.partition(".")
    if phase in PHASES and name in SHARES:
        return Measure(key, "share", up=True, margin=POINT)
    if phase in PHASES[1:] and name in LATENCIES:
        return Measure(key, "ms", up=False, margin=FACTOR)
    if phase == "drill" and name in SECONDS:
        return Measure(key, "s", up=False, margin=1.0)
    raise _mistake(
        option, repr(key),
        f"PHASE.MEASURE, such as {', '.join(one.key for one in USUAL)}, watch.guarantee, "
        f"fault.p99 or drill.rto_s",
    )  # fmt: skip


def _margin(measure: Measure, raw: str) -> float:
    try:
        if measure.kind == "s":
            margin = parse_duration_s(raw)
        elif measure.kind == "ratio":
            margin = float(raw)
        else:
            margin = parse_share(raw)
    except ValueError as exc:
        raise _mistake("--margin", repr(raw), f"for {measure.key} {exc}") from exc
    if not margin > 0:
        raise _mistake("--margin", repr(raw), "more than zero: no two runs are exactly the same")
    return math.log1p(margin) if measure.kind == "ms" else margin


def _mistake(option: str, found: str, allowed: str) -> ScenarioError:
    return ScenarioError((Problem("the command line", 0, option, found, allowed),))
