"""`drawproof heal RUN`: what the guardian of a dead run would have done, at any time later."""

import json
import shutil
import signal
from pathlib import Path

from harness.errors import no_run_directory
from harness.guardian.undo import undo_all
from harness.processes import descendants, kill_tree, send, start_ticks


def heal(run: Path) -> list[str]:
    """Replay the journal, end what the run had started and still runs, remove its work folder.

    Says what it did, a line each. Raises ScenarioError when `run` is no run directory.
    """
    if not any((run / name).exists() for name in ("run.json", "processes.jsonl")):
        raise no_run_directory(run)
    lines = undo_all(run)
    for name, pid, ticks in started(run):
        if start_ticks(pid) == ticks:
            count = len(descendants(pid)) + 1
            kill_tree(pid)
            send(pid, signal.SIGKILL)
            lines.append(f"{name}: ended, {count} processes")
    if (run / "work").exists():
        shutil.rmtree(run / "work", ignore_errors=True)
        lines.append("work: removed")
    (run / ".token").unlink(missing_ok=True)
    return lines or ["nothing to heal"]


def started(run: Path) -> list[tuple[str, int, int]]:
    """(name, pid, start_ticks) of what the run's guardian had started, the last first."""
    try:
        rows = (run / "processes.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for row in rows:
        try:
            entry = json.loads(row)
        except ValueError:
            continue
        found.append((entry["name"], entry["pid"], entry["start_ticks"]))
    return list(reversed(found))
