"""The measures an expectation may name, with the unit their bounds are given in.

Units: share (0..1 or %), ms, s, /s (draws a second), and bare numbers of what is counted. The judge
has one extractor for each; docs/measures.md says what each is.
"""

SHARES = ("guarantee", "guarantee_money", "access", "access_money")
LATENCIES = ("p50", "p95", "p99", "p99.9")
COUNTS = (
    "promised", "kept", "broken", "late", "withheld", "rightly_refused", "wrongly_approved",
    "unresolved",
)  # fmt: skip
# By phase and for the drill, beside those of the draws.
BY_PHASE = {"goodput": "/s", "blocked_yuan_minutes": "yuan-minutes"}
# Known for the whole drill only.
DRILL_ONLY = {
    **dict.fromkeys(COUNTS[4:], "draws"),
    "recover_s": "s",
    "rto_s": "s",
    "exposed_s": "s",
    "rpo_draws": "draws",
    "amplification": "ratio",
    "audit_breaches": "rules",
    "avoidable": "draws",
    "unfunded": "draws",
    "stranded": "draws",
    "untrue": "draws",
    "blast_radius": "share",
    "spillover": "share",
    "shown_age_ms": "ms",
    "detect_s": "s",
    "false_alarms": "alerts",
    "warning_lead_s": "s",
    "told_share": "share",
    "time_to_open_s": "s",
    "wrongly_open": "openings",
    "should_have_opened": "breakers",
    "good_calls_blocked": "calls",
    "stuck_breakers": "breakers",
}
MEASURES: dict[str, str] = {
    **dict.fromkeys(SHARES, "share"),
    **dict.fromkeys(LATENCIES, "ms"),
    **dict.fromkeys(COUNTS, "draws"),
    **BY_PHASE,
    **DRILL_ONLY,
}
# Smaller is worse for these; for all others larger is.
WORSE_BELOW = frozenset(
    {*SHARES, "promised", "kept", "rightly_refused", "goodput", "told_share", "warning_lead_s"}
)
