"""The parts of verdict.json that say what was measured beside guarantee and latency; a part is null
where there is nothing to tell it by."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.judge.breakers import Breakers
from harness.judge.drift import Trend
from harness.judge.parts import Parts
from harness.judge.truth import BOOKS, TOLD, Truth


def harm_json(parts: Parts) -> dict[str, Any]:
    """The part `harm`."""
    return {
        "goodput": dict(parts.harm.goodput),
        "blocked_yuan_minutes": dict(parts.harm.blocked_yuan_minutes),
        "blast_radius": rounded(parts.harm.blast.radius),
        "borrowers_hit": parts.harm.blast.hit,
        "borrowers_due": parts.harm.blast.due,
        "spillover": rounded(parts.harm.spillover),
        "shown_age_ms": parts.harm.shown_age_ms,
    }


def detection_json(parts: Parts) -> dict[str, Any]:
    """The part `detection`."""
    return {
        "detect_s": parts.detection.detect_s,
        "by_fault_s": dict(parts.detection.by_fault),
        "undetected": list(parts.detection.undetected),
        "false_alarms": parts.detection.false_alarms,
    }


def warnings_json(parts: Parts) -> dict[str, Any]:
    """The part `warnings`."""
    found = parts.warnings
    return {
        "lead_s": found.lead_s,
        "by_policy_s": dict(found.by_policy),
        "untold": list(found.untold),
        "draws": found.draws,
        "told": found.told,
        "told_share": rounded(found.told_share),
    }


def truth_json(found: Truth | None) -> dict[str, Any] | None:
    """The part `truth`: the matrix, what the borrower was told by what the books say."""
    if found is None:
        return None
    matrix: dict[str, dict[str, int]] = {told: dict.fromkeys(BOOKS, 0) for told in TOLD}
    for cell in found.cells:
        matrix[cell.told][cell.books] = cell.draws
    return {
        "matrix": matrix,
        "untrue": found.untrue,
        "wrong": [asdict(cell) for cell in found.wrong],
    }


def breakers_json(found: Breakers | None) -> dict[str, Any] | None:
    """The part `breakers`."""
    if found is None:
        return None
    return {
        "time_to_open_s": found.time_to_open_s,
        "wrongly_open": found.wrongly_open,
        "should_have_opened": found.should_have_opened,
        "refused_calls": found.refused_calls,
        "failed_calls": found.failed_calls,
        "good_calls_blocked": found.good_calls_blocked,
        "stuck_breakers": found.stuck_breakers,
        "not_sent_but_served": found.not_sent_but_served,
        "each": [{**asdict(one), "faults": list(one.faults)} for one in found.each],
    }


def drift_json(parts: Parts) -> dict[str, Any]:
    """The part `drift`."""
    trends: Mapping[str, Trend | None] = {
        "guarantee": parts.drift.guarantee,
        "latency_p50_ms": parts.drift.latency_p50,
    }
    return {name: None if one is None else asdict(one) for name, one in trends.items()}


def rounded(value: float | None) -> float | None:
    """To 4 digits."""
    return None if value is None else round(value, 4)
