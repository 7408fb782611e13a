"""Who runs a drill now: its controller, by pid and start time, as run.json says."""

import json
import os
from pathlib import Path

from harness.processes import start_ticks


def me() -> dict[str, int | None]:
    """For run.json: this process as a run's controller."""
    return {"pid": os.getpid(), "start_ticks": start_ticks(os.getpid())}


def controller(run: Path) -> int | None:
    """The pid of the living controller of a run; None: nobody runs it any more."""
    try:
        found = json.loads((run / "run.json").read_text())["controller"]
        pid, ticks = int(found["pid"]), int(found["start_ticks"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if start_ticks(pid) == ticks else None
