"""The verdict, and its public form, verdict.json: fixed order, no time stamps, 4 digits."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from harness.clock import NS_PER_S
from harness.judge.doubts import doubts
from harness.judge.expectations import Met, meet, shown
from harness.judge.gaps import gaps
from harness.judge.guarantee import Share
from harness.judge.health import health_json
from harness.judge.latency import LatencySummary
from harness.judge.parts import Parts
from harness.judge.view import FaultLine, RunView
from harness.scenario.model import Expectation
from harness.units import format_yuan

RANK = {"held": 0, "inconclusive": 1, "breached": 2}
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """verdict: held | inconclusive | breached. reason: one sentence. value: verdict.json."""

    verdict: str
    exit_code: int
    reason: str
    doubts: tuple[str, ...]
    met: tuple[Met, ...]
    parts: Parts
    value: dict[str, Any]


def conclude(view: RunView, parts: Parts) -> Verdict:
    """Weigh doubts, money and expectations.

    Wrong money breaches whatever else is in doubt. Else a doubt makes it inconclusive: what was
    not measured well can't accuse either. Exit codes: 4 aborted, 5 harness or target error.
    """
    found = tuple(doubts(view, parts))
    met = tuple(_meet(view, expectation, parts) for expectation in view.scenario.expect)
    wrong = [finding for finding in parts.audit if finding.verdict == "breached"]
    if wrong and not _only_unfinished(view, [finding.rule for finding in wrong]):
        names = ", ".join(f"rule {f.rule} ({f.name}: {f.count})" for f in wrong)
        verdict, reason = "breached", f"the money is wrong: {names}; first: {wrong[0].first}"
    elif found:
        verdict, reason = "inconclusive", found[0]
    else:
        verdict = max((one.verdict for one in met), key=RANK.__getitem__, default="held")
        reason = _reason(verdict, met, parts)
    exit_code = {"held": 0, "inconclusive": _unsure_code(view), "breached": 1}[verdict]
    value = to_json(view, parts, met, verdict, exit_code, reason, found)
    return Verdict(verdict, exit_code, reason, found, met, parts, value)


def _meet(view: RunView, expectation: Expectation, parts: Parts) -> Met:
    """What was computed from rows that are not all there holds nothing and breaches nothing; nor
    does what follows from seconds alone in which the generator was not well."""
    gone = sorted({*view.missing, *view.cut})
    if gone:
        why = f"evidence is missing or cut: {', '.join(gone)}"
        return Met(expectation, None, "inconclusive", why)
    met = meet(expectation, parts)
    if parts.without_bad is None or met.verdict == "inconclusive":
        return met
    other = meet(expectation, parts.without_bad)
    if other.verdict == met.verdict or (met.verdict, other.verdict) == ("held", "inconclusive"):
        return met
    why = f"{met.verdict} only with the draws due in seconds in which the generator was not well"
    if met.why:
        why = f"{met.why}: {why}"
    return Met(expectation, met.actual, "inconclusive", why)


def _only_unfinished(view: RunView, rules: list[int]) -> bool:
    """A run that did not end leaves holds and unknowns; that accuses nobody."""
    return view.ended != "complete" and set(rules) <= {8, 12}


def _unsure_code(view: RunView) -> int:
    if view.ended.startswith("aborted"):
        return 4
    return 5 if view.ended.startswith("error") else 3


def _reason(verdict: str, met: tuple[Met, ...], parts: Parts) -> str:
    total = parts.guarantee.total
    if verdict == "held":
        share = shown("guarantee", total.count)
        return (
            f"{total.kept:,} of {total.promised:,} promised draws were kept ({share}), "
            f"and the audit found nothing wrong"
        )
    first = next(one for one in met if one.verdict == verdict)
    where = "" if first.expectation.phase == "drill" else f"{first.expectation.phase}: "
    text = f"{where}{first.expectation.text} — was {shown(first.expectation.measure, first.actual)}"
    if first.why:
        text += f" ({first.why})"
    if verdict == "inconclusive" or not parts.guarantee.broken_by:
        return text
    worst = parts.guarantee.broken_by[0]
    return (
        f"{text}; {total.broken:,} promised draws broken ({format_yuan(total.broken_fen)}), "
        f"most by {worst.cause} at {worst.hop}: {worst.draws:,} draws, "
        f"{format_yuan(worst.amount_fen)}"
    )


def to_json(
    view: RunView,
    parts: Parts,
    met: tuple[Met, ...],
    verdict: str,
    exit_code: int,
    reason: str,
    found: tuple[str, ...],
) -> dict[str, Any]:
    """verdict.json as a value."""
    return {
        "schema": SCHEMA,
        "scenario": view.scenario.name,
        "seed": view.scenario.seed,
        "profile": view.scenario.lender.profile,
        "protections": dict(view.scenario.lender.protections),
        "defects": list(view.scenario.lender.defects),
        "verdict": verdict,
        "exit_code": exit_code,
        "reason": reason,
        "doubts": list(found),
        "guarantee": _guarantee(parts),
        "latency_ms": {phase: _latency(one) for phase, one in parts.latency.items()},
        "recovery": {
            "detect_s": parts.recovery.detect_s,
            "recover_s": _round(parts.recovery.recover_s),
            "rto_s": _round(parts.recovery.rto_s),
            "rpo_draws": parts.recovery.rpo_draws,
            "exposed_s": _round(parts.recovery.exposed_s),
            "stuck": parts.recovery.stuck,
        },
        "amplification": {
            "borrower": parts.amplification.borrower,
            "by_hop": parts.amplification.by_hop,
        },
        "repayments": asdict(parts.repaid),
        "expectations": [
            {
                "phase": one.expectation.phase,
                "measure": one.expectation.measure,
                "expected": one.expectation.text,
                "actual": _round(one.actual),
                "shown": shown(one.expectation.measure, one.actual),
                "verdict": one.verdict,
            }
            for one in met
        ],
        "audit": [
            {
                "rule": f.name, "number": f.rule, "verdict": f.verdict, "examined": f.examined,
                "count": f.count, "first": f.first, "worst": f.worst, "last": f.last,
            }
            for f in parts.audit
        ],
        "faults": [_fault(view, parts, fault) for fault in view.faults],
        "evidence_gaps": [
            {
                "replica": gap.replica,
                "from_s": _since(view, gap.from_ns),
                "to_s": _since(view, gap.to_ns),
                "rows_lost": gap.rows_lost,
            }
            for gap in gaps(view.states)
        ],
        "generator": health_json(parts.health),
        "printed": _printed(view, parts),
    }  # fmt: skip


def _guarantee(parts: Parts) -> dict[str, Any]:
    whole, total = parts.guarantee, parts.guarantee.total
    return {
        **_share(total),
        "interval95": list(whole.interval95) if whole.interval95 else None,
        "by_phase": {phase: _share(share) for phase, share in whole.by_phase.items()},
        "by_cause": whole.by_cause,
        "by_hop": whole.by_hop,
        "by_fault": whole.by_fault,
        "broken_by": [
            {"cause": b.cause, "hop": b.hop, "draws": b.draws, "amount_fen": b.amount_fen}
            for b in whole.broken_by
        ],
        "avoidable": whole.avoidable,
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "count": _round(share.count),
        "money": _round(share.money),
        "access": _round(share.access),
        "promised": share.promised,
        "kept": share.kept,
        "broken": share.broken,
        "late": share.late,
        "withheld": share.withheld,
        "rightly_refused": share.rightly_refused,
        "wrongly_approved": share.wrongly_approved,
        "unresolved": share.unresolved,
        "promised_fen": share.promised_fen,
        "broken_fen": share.broken_fen,
    }


def _latency(one: LatencySummary) -> dict[str, Any]:
    return {
        **{name: _round(value) for name, value in one.quantiles.items()},
        "beyond_deadline": [
            name for name, value in one.quantiles.items() if value is not None and math.isinf(value)
        ],
        "intervals95": {
            name: [_round(low_high[0]), _round(low_high[1])] if low_high else None
            for name, low_high in one.intervals.items()
        },
        "granted_only_p95": _round(one.granted_p95),
        "count": one.count,
        "censored": one.censored,
    }


def _fault(view: RunView, parts: Parts, fault: FaultLine) -> dict[str, Any]:
    exposed = parts.exposure[fault.name]
    return {
        "name": fault.name,
        "injected_s": _since(view, fault.injected_ns),
        "inject_call_s": [_since(view, fault.inject_began_ns), _since(view, fault.injected_ns)],
        "observed": fault.observed_ns is not None,
        "observed_s": _since(view, fault.observed_ns),
        "last_observed_s": _since(view, fault.last_observed_ns or fault.observed_ns),
        "healed_s": _since(view, fault.healed_ns),
        "heal_call_s": [_since(view, fault.heal_began_ns), _since(view, fault.healed_ns)],
        "heals": fault.healer != "nobody",
        "healer": fault.healer,
        "heal_observed": fault.heal_observed_ns is not None,
        "heal_observed_s": _since(view, fault.heal_observed_ns),
        "exposed_calls": exposed.calls,
        "exposed_intents": len(exposed.intents),
        "failure": fault.failure,
    }


def _printed(view: RunView, parts: Parts) -> dict[str, Any]:
    """Shown, not gated."""
    first_ns = min((e.granted_ns for e in parts.ends if e.granted_ns is not None), default=None)
    printed: dict[str, Any] = dict(view.printed)
    asked_ns = printed.pop("lender_asked_ns", None)
    if first_ns is not None and asked_ns is not None:
        printed["first_granted_s"] = round((first_ns - asked_ns) / NS_PER_S, 3)
    return dict(sorted(printed.items()))


def _since(view: RunView, at_ns: int | None) -> float | None:
    """Seconds from t = 0, to the millisecond."""
    return None if at_ns is None else round((at_ns - view.t0_ns) / NS_PER_S, 3)


def _round(value: float | None) -> float | None:
    """JSON knows no infinity; what is beyond the deadline is listed beside it."""
    return None if value is None or math.isinf(value) else round(value, 4)


def verdict_bytes(verdict: Verdict) -> bytes:
    """verdict.json."""
    return (json.dumps(verdict.value, indent=1, ensure_ascii=False) + "\n").encode()
