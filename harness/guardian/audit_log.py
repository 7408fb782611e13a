"""Who did what to whom, and when: `audit.log` in the run directory, JSON lines, only ever added to.

Written by whoever acts: the nemesis, the guardian, `drawproof heal` and `drawproof stop`. A line
says `begun` before a call and `done`, or what went wrong, after it. Standard library only.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.processes import start_ticks

NAME = "audit.log"


def undone(run: Path) -> list[tuple[str, str, str]]:
    """(fault, who, when in UTC) of the faults that were undone from the journal, whoever did it.
    A cut line is passed over."""
    try:
        lines = (run / NAME).read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            row = json.loads(line)
            if row["what"] == "undo" and row["outcome"] == "done":
                found.append((row["fault"], row["who"]["role"], row["utc"]))
    return found


class AuditLog:
    """One actor's hand in it."""

    def __init__(self, run: Path, role: str) -> None:
        self._path = run / NAME
        self._who = {
            "role": role,
            "uid": os.getuid(),
            "pid": os.getpid(),
            "start_ticks": start_ticks(os.getpid()),
        }

    def note(
        self, what: str, fault: str, outcome: str, *, on: str = "", more: Mapping[str, Any] = {}
    ) -> None:
        """One line. more: `pid` and `start_ticks` of the process that is hit, the undo. Raises
        OSError."""
        row = {
            "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "at_ns": time.monotonic_ns(),
            "who": self._who,
            "what": what,
            "fault": fault,
            "on": on,
            "outcome": outcome,
            **more,
        }
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, json.dumps(row).encode() + b"\n")
        finally:
            os.close(descriptor)

    def try_note(
        self, what: str, fault: str, outcome: str, *, on: str = "", more: Mapping[str, Any] = {}
    ) -> None:
        """The same for what must be done although it can't be written down: a heal, an undo."""
        with contextlib.suppress(OSError):
            self.note(what, fault, outcome, on=on, more=more)
