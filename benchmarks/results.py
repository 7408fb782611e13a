"""What every benchmark does with its runs: median and spread of each number, and the file."""

import json
import statistics
from pathlib import Path
from typing import Any

from harness.environment import machine

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


def spreads(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """[median, lowest, highest] of every number, wherever it stands; the rest is left out."""
    found: dict[str, Any] = {}
    for key, value in runs[0].items():
        values = [run[key] for run in runs if key in run]
        if isinstance(value, dict):
            found[key] = spreads([one for one in values if isinstance(one, dict)])
        elif isinstance(value, int | float) and None not in values:
            found[key] = [statistics.median(values), min(values), max(values)]
    return found


def kept(place: Path, key: str, *, resume: bool) -> list[dict[str, Any]]:
    """The runs that are there already, when they are to be gone on with."""
    if not resume or not place.exists():
        return []
    found: list[dict[str, Any]] = json.loads(place.read_text())[key]
    return found


def keep(place: Path, key: str, runs: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """All runs, their summary and the machine, in one file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine(), "summary": summary, key: runs}
    partial = place.with_suffix(".partial")  # a kill must not leave half a file to resume from
    partial.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    partial.replace(place)
