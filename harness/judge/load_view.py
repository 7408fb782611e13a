"""From a run directory to the rows that judging reads."""

import json
from typing import Any

from harness.errors import HarnessError, ScenarioError
from harness.evidence.columnar import Rows
from harness.evidence.columns import DISK_SINCE, HARNESS_TABLES, LENDER_TABLES, LOAD_TABLES
from harness.evidence.manifest import PLACE, Manifest, read_manifest
from harness.evidence.rows import DRAWING, Attempt, Intent
from harness.evidence.seal import SEALED_SINCE, Seal, check
from harness.evidence.store import RunDir
from harness.evidence.tables import read_ordered
from harness.judge.fault_lines import read_fault_lines
from harness.judge.noticed import believed
from harness.judge.outages import borne_out
from harness.judge.view import GROWING, FaultLine, RunView
from harness.scenario.loader import load_scenario
from harness.scenario.model import Scenario

# Rows come in whatever order they were written; judging must not depend on it.
ORDER = {
    "intents": ("intent",),
    "repay_intents": ("intent",),
    "attempts": ("intent", "done_ns", "kind", "n"),
    "calls": ("draw_key", "start_ns", "side", "edge", "server", "done_ns"),
    "states": ("at_ns", "replica", "kind", "subject"),
    "generator": ("worker", "second"),
    "clocks": ("worker", "at_ns"),
    "disk": ("began_ns",),
    "notice_looks": ("sent_ns", "policy"),
    "versions": ("account", "version"),
}
# Tables of which older runs have none.
YOUNGER = ("collections",)
FAULTS = "faults.jsonl"


def load_view(run: RunDir) -> RunView:
    """Everything a verdict depends on. Raises HarnessError without a scenario to judge by."""
    record, seal, scenario = _ground(run)
    rows: dict[str, Rows[Any]] = {}
    missing: list[str] = []
    cut: list[str] = []
    version = record.get("schema", 1)
    for name in (*LOAD_TABLES, *HARNESS_TABLES, *LENDER_TABLES):
        rows[name], is_missing, is_cut = read_ordered(run.path, name, ORDER.get(name, ()), seal)
        # Of a run in which nobody repays, and of any before there were repayments, it says nothing.
        unused = name == "repay_intents" and not scenario.load.journey.repay
        young = name in YOUNGER or version < HARNESS_TABLES.get(name, 0)
        if is_missing and not unused and not young:
            missing.append(name)
        if is_cut:
            cut.append(name)
    manifest = _manifest(run, seal)
    if manifest is None and "clocks" in missing:
        missing.remove("clocks")  # a run from before clocks were compared
    t0_ns = int(record.get("t0_ns") or 0)
    planned = rows["intents"]
    # Due times are planned from t = 0, before anybody knows when that will be.
    for name in ("intents", "repay_intents"):
        rows[name] = rows[name].plus("due_ns", t0_ns)
    unoffered_keys: frozenset[str] = frozenset()
    if record.get("ended") != "complete":
        offered = _offered(rows["intents"], rows["attempts"], record)
        unoffered = rows["intents"].only([not one for one in offered])
        unoffered_keys = frozenset(unoffered.column("draw_key"))
        rows["intents"] = rows["intents"].only(offered)
    tables: dict[str, Any] = {
        name: found if name in GROWING else tuple(found) for name, found in rows.items()
    }
    looks = tables["notice_looks"]
    tables["published"] = believed(tables["published"], tables["policies"], looks)
    faults = _faults(run, seal)
    tables["tiers"] = borne_out(tables["tiers"], scenario, faults)
    return RunView(
        scenario=scenario,
        ended=str(record.get("ended", "cut")),
        t0_ns=t0_ns,
        load_end_ns=record.get("load_end_ns"),
        drain_end_ns=record.get("drain_end_ns"),
        missing=tuple(missing),
        cut=tuple(cut),
        faults=faults,
        harness_failures=tuple(record.get("failures", ())),
        printed=dict(record.get("printed", {})),
        manifest=manifest,
        planned=planned,
        unoffered_keys=unoffered_keys,
        spoilt=seal.problems,
        owes_manifest=version >= SEALED_SINCE,
        owes_disk=version >= DISK_SINCE,
        **tables,
    )


def _ground(run: RunDir) -> tuple[dict[str, Any], Seal, Scenario]:
    """What everything else is read by: run.json, the digests, and the scenario with its files.

    Raises HarnessError when one of them can't be read, or is not what it was.
    """
    try:
        record: dict[str, Any] = json.loads((run.path / "run.json").read_text())
        seal = check(run.path, record)
        base = sorted(name for name in seal.spoilt if _is_ground(name))
        if base:
            raise ValueError(f"{', '.join(base)} changed since the run ended")
        return record, seal, load_scenario(run.path / "scenario.yaml", (), None).scenario
    except (OSError, ValueError, TypeError, AttributeError, ScenarioError) as exc:
        raise HarnessError(f"{run.path} can't be judged: {exc}") from exc


def _is_ground(name: str) -> bool:
    """Of the files with evidence: all but tables, and what is judged without."""
    table = name.endswith((".parquet", ".arrows")) and not name.startswith("trace-")
    return not table and name not in (FAULTS, PLACE, "environment.json")


def _faults(run: RunDir, seal: Seal) -> tuple[FaultLine, ...]:
    """None of a record that is not what it was."""
    if FAULTS in seal.spoilt:
        return ()
    try:
        return read_fault_lines(run.path / FAULTS)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise HarnessError(f"{run.path / FAULTS} can't be read: {exc!r}") from exc


def _manifest(run: RunDir, seal: Seal) -> Manifest | None:
    if PLACE in seal.spoilt:
        return None
    try:
        return read_manifest(run.path)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise HarnessError(f"{run.path / PLACE} can't be read: {exc!r}") from exc


def _offered(intents: Rows[Intent], attempts: Rows[Attempt], record: dict[str, Any]) -> list[bool]:
    """Of a run that ended early: which intents fell due before it did, or were tried before the
    word to stop had come to the workers? No others were offered."""
    last_ns = max((sent_ns or 0 for sent_ns in attempts.column("sent_ns")), default=0)
    end_ns = record.get("load_end_ns") or last_ns
    tried = set(attempts.where(kind=DRAWING).column("intent"))
    return [
        bool(record.get("t0_ns")) and (due_ns <= end_ns or intent in tried)
        for intent, due_ns in intents.columns("intent", "due_ns")
    ]
