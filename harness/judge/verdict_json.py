"""verdict.json as a value: fixed order, no time stamps, 4 digits, null where there is no data."""

import math
from dataclasses import asdict
from typing import Any

from harness.clock import NS_PER_S
from harness.judge.disagreements import attribution_json
from harness.judge.expectations import Met, shown
from harness.judge.gaps import gaps
from harness.judge.guarantee import Share
from harness.judge.health import health_json
from harness.judge.latency import LatencySummary
from harness.judge.measures_json import (
    breakers_json,
    detection_json,
    drift_json,
    harm_json,
    truth_json,
    warnings_json,
)
from harness.judge.parts import Parts
from harness.judge.view import FaultLine, RunView

SCHEMA = 1


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
        "attribution": attribution_json(view, parts.ends),
        "latency_ms": {phase: _latency(one) for phase, one in parts.latency.items()},
        "recovery": _recovery(parts),
        "amplification": {
            "borrower": parts.amplification.borrower,
            "by_hop": parts.amplification.by_hop,
            "out_per_in": parts.amplification.out_per_in,
        },
        "harm": harm_json(parts),
        "stranded": None if parts.stranded is None else asdict(parts.stranded),
        "truth": truth_json(parts.truth),
        "breakers": breakers_json(parts.breakers),
        "detection": detection_json(parts),
        "warnings": warnings_json(parts),
        "drift": drift_json(parts),
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
                "keys": list(f.keys),
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


def _recovery(parts: Parts) -> dict[str, Any]:
    return {
        "detect_s": parts.detection.detect_s,
        "recover_s": _round(parts.recovery.recover_s),
        "rto_s": _round(parts.recovery.rto_s),
        "rpo_draws": parts.recovery.rpo_draws,
        "exposed_s": _round(parts.recovery.exposed_s),
        "stuck": parts.recovery.stuck,
    }


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
        "unfunded": whole.unfunded,
        "straddling": asdict(parts.harm.straddling),
        "by_group": {group: _share(share) for group, share in parts.by_group.items()},
        "by_replica": None
        if parts.by_replica is None
        else {replica: _share(share) for replica, share in parts.by_replica.items()},
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "count": _round(share.count),
        "money": _round(share.money),
        "access": _round(share.access),
        "access_money": _round(share.access_money),
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
    granted_ns = (at_ns for at_ns in parts.ends.column("granted_ns") if at_ns is not None)
    first_ns = min(granted_ns, default=None)
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
