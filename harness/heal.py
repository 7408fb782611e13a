"""`drawproof heal RUN`: what the guardian of a dead run would have done, at any time later."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from harness.errors import Problem, SafetyError, ScenarioError, no_run_directory
from harness.guardian.audit_log import AuditLog, undone
from harness.guardian.journal import NAME, Journal
from harness.guardian.undo import undo_all
from harness.processes import await_ends, descendants, kill_tree, send, start_ticks, working_in
from harness.running import controller

# What a drill runs, itself and through its lender.
PROGRAMS = ("mock_lender", "harness", "postgres")
ROUNDS_MAX = 3
END_WITHIN_S = 2.0


def heal(run: Path) -> list[str]:
    """Replay the journal, end what the run had started and still runs, remove its work folder.

    Says what it did, a line each. Raises ScenarioError when `run` is no run directory, or its drill
    is under way; SafetyError when a fault would not heal.
    """
    if not any((run / name).exists() for name in ("run.json", "processes.jsonl")):
        raise no_run_directory(run)
    pid = controller(run)
    if pid is not None:
        found = f"{str(run)!r}, which pid {pid} is running"
        allowed = "the directory of a dead drill; `drawproof stop RUN` ends one under way"
        raise ScenarioError((Problem("the command line", 0, "RUN", found, allowed),))
    before = [f"{fault}: was undone by {_who(role)} at {utc}" for fault, role, utc in undone(run)]
    lives = living(run)
    lines = undo_all(run, "heal", gone=not lives)
    lines += _end(run, lives)
    # A fault goes with what it hit: what could not be undone may be moot by now.
    lines += undo_all(run, "heal", gone=True)
    if (run / "work").exists():
        shutil.rmtree(run / "work", ignore_errors=True)
        lines.append("work: removed")
    (run / ".token").unlink(missing_ok=True)
    left = unhealed(run)
    if left:
        raise SafetyError("\n".join([*lines, f"NOT HEALED: {', '.join(left)}"]))
    return lines or ["nothing to heal", *before]


def _who(role: str) -> str:
    return "`drawproof heal`" if role == "heal" else f"the {role}"


def _end(run: Path, left: list[tuple[str, int, int]]) -> Iterator[str]:
    """Kill them and their trees, a line each; then what they have forked meanwhile, which is
    nobody's child by then."""
    log = AuditLog(run, "heal")
    for _ in range(ROUNDS_MAX):
        for name, pid, ticks in left:
            if start_ticks(pid) == ticks:
                send(pid, signal.SIGSTOP)  # or it would go on forking what we do not see
                count = len(descendants(pid)) + 1
                kill_tree(pid)
                send(pid, signal.SIGKILL)
                more = {"pid": pid, "start_ticks": ticks}
                log.try_note("end", "", "done", on=name, more=more)
                yield f"{name}: ended, {count} processes"
        # Or what is dying still would be found again, and told as ended twice.
        await_ends(left, END_WITHIN_S)
        left = living(run)


def living(run: Path) -> list[tuple[str, int, int]]:
    """(name, pid, start_ticks) of what the run had started and still runs: by its guardian, or by
    one of those that is dead itself."""
    found = [one for one in started(run) if start_ticks(one[1]) == one[2]]
    named = {pid for _, pid, _ in found}
    for pid in working_in(run / "work", PROGRAMS):
        ticks = start_ticks(pid)
        if ticks is not None and pid not in named:
            found.append((f"orphan {pid}", pid, ticks))
    return found


def unhealed(run: Path) -> list[str]:
    """Faults whose undo is still pending in the journal."""
    return [fault for fault, _ in Journal(run / NAME).pending()]


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
