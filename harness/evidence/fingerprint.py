"""The fingerprint by which what was planned and what was recorded are compared. Pure."""

import hashlib
import json
from collections.abc import Iterable

from harness.evidence.rows import Intent, RepayIntent


def fingerprint(rows: Iterable[Intent | RepayIntent]) -> str:
    """SHA-256 over the rows in order of their intent, whatever order they come in; hex.

    Canonical bytes: each row a JSON array of its fields in the order of columns.py, without spaces,
    ASCII only, and a line feed. due_ns counts from t = 0, as it was planned.
    """
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: row.intent):
        digest.update(json.dumps(list(row), separators=(",", ":")).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def draws_fingerprint(intents: Iterable[Intent]) -> str:
    """The same for the same draws with other faults, by which runs are paired: which of them
    straddle the first bite is left out."""
    return fingerprint(intent._replace(straddling=False) for intent in intents)


def manifest(intents: Iterable[Intent], repayments: Iterable[RepayIntent]) -> dict[str, object]:
    """What environment.json says of the plan."""
    planned, owed = tuple(intents), tuple(repayments)
    return {
        "intents": len(planned),
        "intents_sha256": fingerprint(planned),
        "draws_sha256": draws_fingerprint(planned),
        "repayments": len(owed),
        "repayments_sha256": fingerprint(owed),
    }
