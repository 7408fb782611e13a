"""From a run directory to the plain rows that judging reads."""

import json
from typing import Any

from harness.errors import HarnessError, ScenarioError
from harness.evidence import tables
from harness.evidence.columns import LENDER_TABLES, LOAD_TABLES
from harness.evidence.fingerprint import fingerprint
from harness.evidence.manifest import PLACE, read_manifest
from harness.evidence.rows import DRAWING, ROWS
from harness.evidence.store import RunDir
from harness.judge.fault_lines import read_fault_lines
from harness.judge.view import RunView
from harness.load.shares import of_share
from harness.scenario.loader import load_scenario

# Rows come in whatever order they were written; judging must not depend on it.
ORDER = {
    "intents": ("intent",),
    "repay_intents": ("intent",),
    "attempts": ("intent", "done_ns", "kind", "n"),
    "calls": ("draw_key", "start_ns", "side", "edge", "server", "done_ns"),
    "states": ("at_ns", "replica", "kind", "subject"),
    "generator": ("worker", "second"),
    "clocks": ("worker", "at_ns"),
    "versions": ("account", "version"),
}


def load_view(run: RunDir) -> RunView:
    """Everything a verdict depends on. Raises HarnessError without a scenario to judge by."""
    try:
        record: dict[str, Any] = json.loads((run.path / "run.json").read_text())
        scenario = load_scenario(run.path / "scenario.yaml", (), None).scenario
    except (OSError, ValueError, ScenarioError) as exc:
        raise HarnessError(f"{run.path} can't be judged: {exc}") from exc
    rows: dict[str, tuple[Any, ...]] = {}
    missing: list[str] = []
    cut: list[str] = []
    for name in (*LOAD_TABLES, *LENDER_TABLES):
        found, is_missing, is_cut = tables.read_rows(run.path, name)
        # Of a run in which nobody repays, and of any before there were repayments, it says nothing.
        unused = name == "repay_intents" and not scenario.load.journey.repay
        if is_missing and not unused and name != "collections":
            missing.append(name)
        if is_cut:
            cut.append(name)
        rows[name] = _ordered(name, found)
    try:
        manifest = read_manifest(run.path)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise HarnessError(f"{run.path / PLACE} can't be read: {exc}") from exc
    if manifest is None and "clocks" in missing:
        missing.remove("clocks")  # a run from before clocks were compared
    shares = len(manifest.shares) if manifest else 0
    planned_sha256 = {
        share: fingerprint(of_share(rows["intents"], share, shares)) for share in range(shares)
    }
    t0_ns = int(record.get("t0_ns") or 0)
    # Due times are planned from t = 0, before anybody knows when that will be.
    for name in ("intents", "repay_intents"):
        rows[name] = tuple(row._replace(due_ns=row.due_ns + t0_ns) for row in rows[name])
    planned = {intent.draw_key for intent in rows["intents"]}
    if record.get("ended") != "complete":
        rows["intents"] = _offered(rows["intents"], rows["attempts"], record)
    return RunView(
        scenario=scenario,
        ended=str(record.get("ended", "cut")),
        t0_ns=t0_ns,
        load_end_ns=record.get("load_end_ns"),
        drain_end_ns=record.get("drain_end_ns"),
        missing=tuple(missing),
        cut=tuple(cut),
        faults=read_fault_lines(run.path / "faults.jsonl"),
        harness_failures=tuple(record.get("failures", ())),
        printed=dict(record.get("printed", {})),
        manifest=manifest,
        planned_sha256=planned_sha256,
        unoffered_keys=frozenset(planned - {intent.draw_key for intent in rows["intents"]}),
        **rows,
    )


def _offered(
    intents: tuple[Any, ...], attempts: tuple[Any, ...], record: dict[str, Any]
) -> tuple[Any, ...]:
    """Of a run that ended early, the intents that fell due before it did, and those that were tried
    before the word to stop had come to the workers: no others were offered."""
    last_ns = max((attempt.sent_ns or 0 for attempt in attempts), default=0)
    end_ns = record.get("load_end_ns") or last_ns
    tried = {attempt.intent for attempt in attempts if attempt.kind in DRAWING}
    return tuple(
        intent
        for intent in intents
        if record.get("t0_ns") and (intent.due_ns <= end_ns or intent.intent in tried)
    )


def _ordered(name: str, found: tables.Rows) -> tuple[Any, ...]:
    made = [ROWS[name](*row) for row in found]
    fields = ORDER.get(name)
    if fields is None:
        return tuple(sorted(made, key=lambda row: tuple(map(_sortable, row))))
    return tuple(
        sorted(made, key=lambda row: tuple(_sortable(getattr(row, field)) for field in fields))
    )


def _sortable(value: object) -> tuple[bool, Any]:
    """None sorts last, and is never compared with a value."""
    return (True, 0) if value is None else (False, value)
