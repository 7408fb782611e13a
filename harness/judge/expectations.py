"""Expectations against what was measured: held, breached, or inconclusive for want of data."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.judge.guarantee import Share
from harness.judge.parts import Parts
from harness.scenario.measures import BY_PHASE, COUNTS, LATENCIES, MEASURES, SHARES
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
        # As much as a baseline of nothing is anything: no floor to stand on.
        nothing = usual == 0 and expectation.op == ">="
        bound = None if usual is None or math.isinf(usual) or nothing else expectation.bound * usual
    if expectation.measure in ("recover_s", "rto_s") and actual is None and parts.recovery.stuck:
        why = "stuck: not recovered by the end of the watch"
        if parts.recovery.slow_only:
            why += ", by the p90 of its draws alone: in the end as many were kept as before"
        return Met(expectation, None, "breached", why)
    if expectation.measure == "detect_s" and parts.detection.undetected:
        never = ", ".join(parts.detection.undetected)
        return Met(expectation, None, "breached", f"no alert named {never}")
    if expectation.measure == "warning_lead_s" and parts.warnings.untold:
        never = ", ".join(parts.warnings.untold)
        return Met(expectation, None, "breached", f"borrowers were never told of {never}")
    if expectation.measure == "audit_breaches" and not actual:
        unsure = [finding.name for finding in parts.audit if finding.verdict == "inconclusive"]
        if unsure:
            return Met(expectation, None, "inconclusive", f"not examined: {', '.join(unsure)}")
    if actual is None or bound is None:
        return Met(expectation, actual, "inconclusive", "too little data")
    held = COMPARE[expectation.op](actual, bound)
    of_draws = expectation.measure in COUNTS or expectation.measure in BY_PHASE
    if held and of_draws and not _share(expectation.phase, parts).promised:
        return Met(expectation, actual, "inconclusive", "nothing was promised there")
    return Met(expectation, actual, "held" if held else "breached")


def measured(measure: str, phase: str, parts: Parts) -> float | None:
    """The value of a measure in a phase or the whole drill. Raises KeyError for an unknown one."""
    if measure in LATENCIES:
        return parts.latency[phase].quantiles[measure] if phase in parts.latency else None
    if measure in SHARES or measure in COUNTS:
        return _of(measure, _share(phase, parts))
    if measure in BY_PHASE:
        found: Mapping[str, float | None] = getattr(parts.harm, measure)
        return found[phase]
    return _of_drill(parts)[measure]


def _of_drill(parts: Parts) -> dict[str, float | None]:
    """What is known for the whole drill only."""
    breakers, recovery = parts.breakers, parts.recovery
    return {
        "recover_s": recovery.recover_s,
        "rto_s": recovery.rto_s,
        "exposed_s": recovery.exposed_s,
        "rpo_draws": recovery.rpo_draws or (0 if _any_in_time(parts.guarantee.total) else None),
        "amplification": parts.amplification.borrower,
        "audit_breaches": float(sum(f.verdict == "breached" for f in parts.audit)),
        "avoidable": parts.guarantee.avoidable,
        "unfunded": parts.guarantee.unfunded,
        "stranded": None if parts.stranded is None else parts.stranded.draws,
        "untrue": None if parts.truth is None else parts.truth.untrue,
        "blast_radius": parts.harm.blast.radius,
        "spillover": parts.harm.spillover,
        "shown_age_ms": parts.harm.shown_age_ms,
        "detect_s": parts.detection.detect_s,
        "false_alarms": parts.detection.false_alarms,
        "warning_lead_s": parts.warnings.lead_s,
        "told_share": parts.warnings.told_share,
        "time_to_open_s": None if breakers is None else breakers.time_to_open_s,
        "wrongly_open": None if breakers is None else breakers.wrongly_open,
        "should_have_opened": None if breakers is None else breakers.should_have_opened,
        "good_calls_blocked": None if breakers is None else breakers.good_calls_blocked,
        "stuck_breakers": None if breakers is None else breakers.stuck_breakers,
    }


def _share(phase: str, parts: Parts) -> Share:
    return parts.guarantee.total if phase == "drill" else parts.guarantee.by_phase[phase]


def _any_in_time(share: Share) -> bool:
    """Where nobody was granted anything, nothing can have been lost, and nothing is known."""
    return bool(share.kept or share.granted_anyway or share.wrongly_approved)


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
    return f"{actual:.1f}/s" if kind == "/s" else f"{actual:g}"
