"""`digests.json`: what a run's evidence was when the run ended, so that what has changed is told.

SHA-256 of each file that a verdict rests on. A Parquet file that has lost a bit may read as other
rows, or bring down whoever reads it; so none is opened before its digest has been found right.
No pyarrow, and no opinion: what a changed file means for the verdict is the judge's to say.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

PLACE = "digests.json"
# Since schema 2 the files that a scenario reads are all among them; a trace was before.
SCHEMA = 2
RULES_SINCE = 2
# From this schema of run.json on, a run that came to an end of its own has digests.
SEALED_SINCE = 2
FILES = (
    "scenario.yaml", "environment.json", "run.json", "faults.jsonl",
    "load/manifest.json",
)  # fmt: skip
READERS = 2


@dataclass(frozen=True, slots=True)
class Seal:
    """sealed: were there digests at all? spoilt: names of files that are not as they were.
    problems: the same in words, and what else is wrong; empty: all is as it was."""

    sealed: bool
    spoilt: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def seal(run: Path) -> None:
    """Digests of everything that is there now. Raises HarnessError."""
    try:
        names = sorted(_there(run))
        partial = (run / PLACE).with_suffix(".partial")
        partial.write_text(_text(_digests(run, names), SCHEMA))
        partial.replace(run / PLACE)
    except OSError as exc:
        raise HarnessError(f"{run / PLACE} can't be written: {exc}") from exc


def owed(record: Mapping[str, Any]) -> bool:
    """Is a run with this run.json of a version that leaves digests?"""
    return isinstance(record.get("schema"), int) and record["schema"] >= SEALED_SINCE


def check(run: Path, record: Mapping[str, Any]) -> Seal:
    """Is everything as it was? Raises HarnessError when digests are there and say nothing.

    `record` is run.json: it says whether the run is of a version that writes them.
    """
    place = run / PLACE
    if not place.exists():
        if owed(record) and record.get("ended") != "cut":
            return Seal(False, problems=(f"{PLACE} is missing: nobody can say what has changed",))
        return Seal(False)
    try:
        text = place.read_text()
        known = json.loads(text)
        told: dict[str, str] = known["files"]
        schema = int(known["schema"])
        if text != _text(told, schema):
            raise ValueError("it is not as it was written")
        there = _digests(run, [name for name in told if (run / name).is_file()])
        extra = [name for name in _there(run, schema) if name not in told]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise HarnessError(f"{place} can't be read, so no evidence can be trusted: {exc}") from exc
    spoilt = {name for name in told if there.get(name) != told[name]}
    problems = [
        f"{name} is not what it was when the run ended" if name in there else f"{name} is gone"
        for name in sorted(spoilt)
    ]
    problems += [f"{name} was not there when the run ended" for name in sorted(extra)]
    return Seal(True, frozenset({*spoilt, *extra}), tuple(problems))


def _there(run: Path, schema: int = SCHEMA) -> Iterable[str]:
    """Names of the files with evidence, and of those that the scenario reads (trace-1.csv,
    rules-1.yml)."""
    patterns = ["**/*.parquet", "**/*.arrows", "trace-*"]
    if schema >= RULES_SINCE:
        patterns.append("rules-*")
    tables = (path for pattern in patterns for path in run.glob(pattern))
    names = {path.relative_to(run).as_posix() for path in tables if path.is_file()}
    return names | {name for name in FILES if (run / name).is_file()}


def _digests(run: Path, names: Iterable[str]) -> dict[str, str]:
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(lambda name: _sha256(run / name), names), strict=True))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(digests: Mapping[str, str], schema: int) -> str:
    return json.dumps({"schema": schema, "files": digests}, indent=1, sort_keys=True) + "\n"
