"""The measures an expectation may name, with the unit their bounds are given in.

Units: share (0..1 or %), ms, s, draws, rules, ratio. The judge has one extractor for each.
"""

SHARES = ("guarantee", "guarantee_money", "access", "access_money")
LATENCIES = ("p50", "p95", "p99", "p99.9")
COUNTS = (
    "promised", "kept", "broken", "late", "withheld", "rightly_refused", "wrongly_approved",
    "unresolved",
)  # fmt: skip
# Known for the whole drill only.
DRILL_ONLY = {
    **dict.fromkeys(COUNTS[4:], "draws"),
    "recover_s": "s",
    "rto_s": "s",
    "exposed_s": "s",
    "amplification": "ratio",
    "audit_breaches": "rules",
}
MEASURES: dict[str, str] = {
    **dict.fromkeys(SHARES, "share"),
    **dict.fromkeys(LATENCIES, "ms"),
    **dict.fromkeys(COUNTS, "draws"),
    **DRILL_ONLY,
}
# Smaller is worse for these; for all others larger is.
OPS = ("<=", ">=", "<", ">", "=")
