"""Probes of a finished drill, from its verdict.json. Each raises HarnessError where there is none.

run: a run directory, or a link to one. Shares are 0 to 1, for a tolerance such as
`{type: range, range: [0.97, 1]}`; one that was not measured is None, which is in no range.
"""

import json
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

LATEST = "runs/latest"


def verdict(run: str = LATEST) -> str:
    """`held`, `inconclusive` or `breached`."""
    return str(_read(run)["verdict"])


def exit_code(run: str = LATEST) -> int:
    """What `drawproof run` ended with by its verdict: 0 held, 1 breached, 3 inconclusive, 4 aborted
    for safety, 5 an error."""
    return int(_read(run)["exit_code"])


def guarantee(run: str = LATEST, phase: str | None = None, by: str = "count") -> float | None:
    """kept ÷ promised, of the whole drill or of a phase. by: `count` or `money`."""
    found = _read(run)["guarantee"]
    if phase is not None:
        found = found["by_phase"].get(phase, {})
    share = found.get(by)
    return None if share is None else float(share)


def access(run: str = LATEST) -> float | None:
    """Granted in time and lawfully ÷ (promised + withheld)."""
    share = _read(run)["guarantee"]["access"]
    return None if share is None else float(share)


def audit_breaches(run: str = LATEST) -> int | None:
    """How many audit rules found money wrong; None when a rule examined nothing."""
    rows = _read(run)["audit"]
    breached = sum(row["verdict"] == "breached" for row in rows)
    unsure = not rows or any(row["verdict"] == "inconclusive" for row in rows)
    return None if unsure and not breached else breached


def audit_is_clean(run: str = LATEST) -> bool:
    """Every rule examined something and found nothing wrong."""
    return audit_breaches(run) == 0


def recover_s(run: str = LATEST) -> float | None:
    """How long after the last heal until all was as before; None: never, or not known."""
    found = _read(run)["recovery"]["recover_s"]
    return None if found is None else float(found)


def _read(run: str) -> dict[str, Any]:
    path = Path(run) / "verdict.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as exc:
        raise HarnessError(f"{path}: no verdict: {exc}") from exc
    return found
