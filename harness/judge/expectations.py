"""Expectations against what was measured: held, breached, or inconclusive for want of data."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.judge.guarantee import Share
from harness.judge.parts import Parts
from harness.scenario.measures import COUNTS, LATENCIES, MEASURES, SHARES
from harness.scenario.model import Expectation

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_OF_SHARE = {"guarantee": "count", "guarantee_money": "money"}


@dataclass(frozen=True, slots=True)
class Met:
    """One expectation's result. actual: in the measure's unit, infinite beyond the deadline, None
    when nothing could be measured. why: in words, when it is neither held nor breached."""

    expectation: Expectation
    actual: float | None
    verdict: Literal["held", "inconclusive", "breached"]
    why: str = ""


def meet(expectation: Expectation, parts: Parts) -> Met:
    """One expectation, judged by its point value."""
    actual = measured(expectation.measure, expectation.phase, parts)
    bound: float | None = expectation.bound
    if expectation.relative:
        usual = measured(expectation.measure, "baseline", parts)
        bound = None if usual is None or math.isinf(usual) else expectation.bound * usual
    if expectation.measure in ("recover_s", "rto_s") and actual is None and parts.recovery.stuck:
        return Met(expectation, None, "breached", "stuck: not recovered by the end of the watch")
    if expectation.measure == "audit_breaches" and not actual:
        unsure = [finding.name for finding in parts.audit if finding.verdict == "inconclusive"]
        if unsure:
            return Met(expectation, None, "inconclusive", f"not examined: {', '.join(unsure)}")
    if actual is None or bound is None:
        return Met(expectation, actual, "inconclusive", "too little data")
    held = COMPARE[expectation.op](actual, bound)
    return Met(expectation, actual, "held" if held else "breached")


def measured(measure: str, phase: str, parts: Parts) -> float | None:
    """The value of a measure in a phase or the whole drill. Raises KeyError for an unknown one."""
    if measure in LATENCIES:
        return parts.latency[phase].quantiles[measure] if phase in parts.latency else None
    if measure in SHARES or measure in COUNTS:
        return _of(measure, _share(phase, parts))
    return {
        "recover_s": parts.recovery.recover_s,
        "rto_s": parts.recovery.rto_s,
        "exposed_s": parts.recovery.exposed_s,
        "amplification": parts.amplification.borrower,
        "audit_breaches": float(sum(f.verdict == "breached" for f in parts.audit)),
    }[measure]


def _share(phase: str, parts: Parts) -> Share:
    return parts.guarantee.total if phase == "drill" else parts.guarantee.by_phase[phase]


def _of(measure: str, share: Share) -> float | None:
    found = getattr(share, _OF_SHARE.get(measure, measure))
    return None if found is None else float(found)


def shown(measure: str, actual: float | None) -> str:
    """A value with its unit, for people."""
    kind = MEASURES[measure]
    if actual is None:
        return "no data"
    if math.isinf(actual):
        return "> deadline"
    if kind == "share":
        return f"{actual * 100:.2f} %"
    if kind in ("ms", "s"):
        return f"{actual:.2f} s" if kind == "s" else f"{actual:.0f} ms"
    return f"{actual:g}"
