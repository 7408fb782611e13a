"""verdict.json as a JSON Schema (draft 2020-12):
`python -m harness.judge.schema > docs/schema/verdict.schema.json`.

What is required stays; fields may be added, so all objects take more than is named here.
"""

import json
import sys
from typing import Any

from harness.evidence.schema import DRAFT
from harness.judge.truth import BOOKS, TOLD
from harness.judge.verdict import RANK
from harness.judge.verdict_json import SCHEMA
from harness.scenario.model import CAUSES

Schema = dict[str, Any]

COUNT: Schema = {"type": "integer", "minimum": 0}
MAYBE: Schema = {"type": ["integer", "null"], "minimum": 0}
SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
NUMBER: Schema = {"type": ["number", "null"]}
SECONDS: Schema = {"type": ["number", "null"], "description": "seconds"}
MS: Schema = {"type": ["number", "null"], "description": "ms; null: too few, or beyond_deadline"}
FEN: Schema = {"type": "integer", "description": "fen, 1/100 yuan"}
TEXT: Schema = {"type": "string"}
SENTENCE: Schema = {"type": ["string", "null"]}
BOOLEAN: Schema = {"type": "boolean"}
VERDICT: Schema = {"enum": list(RANK)}
PHASES = ("baseline", "fault", "watch")
QUANTILES = ("p50", "p90", "p95", "p99", "p99.9")


def _object(**properties: Schema) -> Schema:
    """All of them required, and more allowed."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _named(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _or_null(known: Schema) -> Schema:
    """A part that is null where there is nothing to tell it by."""
    return {"anyOf": [known, {"type": "null"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _pair(values: Schema) -> Schema:
    return {
        "type": ["array", "null"], "prefixItems": [values, values], "minItems": 2, "maxItems": 2,
    }  # fmt: skip


SHARES: dict[str, Schema] = {
    **dict.fromkeys(("count", "money", "access"), SHARE),
    **dict.fromkeys(
        ("promised", "kept", "broken", "late", "withheld", "rightly_refused", "wrongly_approved",
         "unresolved"), COUNT
    ),
    "promised_fen": FEN, "broken_fen": FEN,
}  # fmt: skip

GUARANTEE = _named(
    {
        **SHARES,
        "interval95": _pair({"type": "number"}),
        "by_phase": _named(dict.fromkeys(PHASES, _named(SHARES))),
        "by_cause": _named(dict.fromkeys(CAUSES, COUNT)),
        "by_hop": _map(COUNT),
        "by_fault": _map(COUNT),
        "broken_by": _list(_object(cause=TEXT, hop=TEXT, draws=COUNT, amount_fen=FEN)),
        "avoidable": MAYBE,
    }
)
GUARANTEE["properties"] |= {
    "unfunded": MAYBE,
    "straddling": _object(intents=COUNT, promised=COUNT, broken=COUNT),
    "by_group": _map(_named(SHARES)),
    "by_replica": _or_null(_map(_named(SHARES))),
}
BREAKER = _object(
    caller=TEXT, target=TEXT, faults=_list(TEXT), opened=COUNT, open_s=SECONDS,
    time_to_open_s=SECONDS, wrongly_opened=COUNT, should_have_opened=BOOLEAN, refused=COUNT,
    good_calls_blocked=COUNT, failed=COUNT, stuck=BOOLEAN,
)  # fmt: skip
TREND = _object(
    values=COUNT, p_value=SHARE, first=NUMBER, last=NUMBER,
    verdict={"enum": ["steady", "note", "doubt"]},
)  # fmt: skip
# Measures that verdicts of before had not.
YOUNGER: dict[str, Schema] = {
    "harm": _object(
        goodput=_named(dict.fromkeys((*PHASES, "drill"), NUMBER)),
        blocked_yuan_minutes=_named(dict.fromkeys((*PHASES, "drill"), NUMBER)),
        blast_radius=SHARE, borrowers_hit=COUNT, borrowers_due=COUNT, shown_age_ms=NUMBER,
        spillover=SHARE,
    ),
    "stranded": _or_null(_object(refused=COUNT, draws=COUNT, amount_fen=FEN, idle_fen=FEN)),
    "truth": _or_null(
        _object(
            matrix=_named(dict.fromkeys(TOLD, _named(dict.fromkeys(BOOKS, COUNT)))),
            untrue=COUNT,
            wrong=_list(
                _object(told={"enum": list(TOLD)}, books={"enum": list(BOOKS)}, draws=COUNT,
                        amount_fen=FEN, wrong=TEXT, first=SENTENCE)
            ),
        )
    ),
    "breakers": _or_null(
        _object(
            time_to_open_s=SECONDS, wrongly_open=COUNT, should_have_opened=COUNT,
            refused_calls=COUNT, failed_calls=COUNT, good_calls_blocked=COUNT,
            stuck_breakers=COUNT, not_sent_but_served=COUNT, each=_list(BREAKER),
        )
    ),
    "detection": _object(
        detect_s=SECONDS, by_fault_s=_map(SECONDS), undetected=_list(TEXT), false_alarms=MAYBE
    ),
    "warnings": _object(
        lead_s=SECONDS, by_policy_s=_map(SECONDS), untold=_list(TEXT), draws=COUNT, told=COUNT,
        told_share=SHARE,
    ),
    "drift": _object(guarantee=_or_null(TREND), latency_p50_ms=_or_null(TREND)),
}  # fmt: skip
LATENCY = _named(
    {
        **dict.fromkeys(QUANTILES, MS),
        "beyond_deadline": _list({"enum": list(QUANTILES)}),
        "intervals95": _named(dict.fromkeys(QUANTILES, _pair(MS))),
        "granted_only_p95": MS,
        "count": COUNT,
        "censored": COUNT,
    }
)
EXPECTATION = _object(
    phase=TEXT, measure=TEXT, expected=TEXT, actual=NUMBER, shown=TEXT, verdict=VERDICT
)
FINDING = _object(
    rule=TEXT, number=COUNT, verdict=VERDICT, examined=COUNT, count=COUNT, first=SENTENCE,
    worst=SENTENCE, last=SENTENCE,
)  # fmt: skip
FAULT = _object(
    name=TEXT, injected_s=SECONDS, inject_call_s=_pair(SECONDS), observed=BOOLEAN,
    observed_s=SECONDS, last_observed_s=SECONDS, healed_s=SECONDS, heal_call_s=_pair(SECONDS),
    heals=BOOLEAN, healer={"enum": ["nemesis", "target", "nobody"]}, heal_observed=BOOLEAN,
    heal_observed_s=SECONDS, exposed_calls=COUNT, exposed_intents=COUNT, failure=SENTENCE,
)  # fmt: skip
GENERATOR = _object(
    late_ms_p99=MS, receive_lag_ms_p99=MS, connect_ms_p99=MS, disk_ms_max=MS,
    dropped=COUNT, workers=COUNT, bad_seconds=COUNT,
    clocks=_list(_object(worker=TEXT, offset_ms=NUMBER, uncertainty_ms=NUMBER)),
    loosened=_list(TEXT), verdict=VERDICT,
)  # fmt: skip


def verdict_schema() -> Schema:
    """The schema as a value."""
    whole = _object(
        schema={"const": SCHEMA},
        scenario=TEXT,
        seed={"type": "integer"},
        profile=TEXT,
        protections=_map(BOOLEAN),
        defects=_list(TEXT),
        verdict=VERDICT,
        exit_code={"enum": [0, 1, 3, 4, 5]},
        reason=TEXT,
        doubts=_list(TEXT),
        guarantee=GUARANTEE,
        latency_ms=_named(dict.fromkeys(PHASES, LATENCY)),
        recovery=_object(
            detect_s=SECONDS, recover_s=SECONDS, rto_s=SECONDS, rpo_draws=COUNT, exposed_s=SECONDS,
            stuck=BOOLEAN,
        ),
        amplification=_object(borrower=NUMBER, by_hop=_map({"type": "number"})),
        repayments=_object(planned=COUNT, asked=COUNT, repaid=COUNT, repaid_fen=FEN, again=COUNT),
        expectations=_list(EXPECTATION),
        audit=_list(FINDING),
        faults=_list(FAULT),
        evidence_gaps=_list(
            _object(replica=TEXT, from_s=SECONDS, to_s=SECONDS, rows_lost=NUMBER)
        ),
        generator=GENERATOR,
        printed=_map(NUMBER),
    )  # fmt: skip
    whole["properties"] |= YOUNGER
    return {"$schema": DRAFT, "title": "drawproof verdict.json", **whole}


if __name__ == "__main__":
    json.dump(verdict_schema(), sys.stdout, indent=1)
    sys.stdout.write("\n")
