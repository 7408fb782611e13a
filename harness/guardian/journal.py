"""The undo journal of a run: on the disk before anything is broken.

JSON lines, each flushed with fsync. Standard library only: the guardian reads it.
"""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "journal.jsonl"


class Journal:
    """Append-only; `plan` before a fault is injected, `done` after it is seen healed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def plan(self, fault_id: str, undo: Mapping[str, Any]) -> None:
        """Write down how to undo a fault; returns when it is on the disk. Raises OSError."""
        self._append({"fault": fault_id, "undo": dict(undo)})

    def done(self, fault_id: str) -> None:
        """The fault is healed; nothing is left to undo. Raises OSError."""
        self._append({"fault": fault_id, "done": True})

    def _append(self, row: Mapping[str, Any]) -> None:
        line = json.dumps(row).encode() + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # After a line that was cut, or what is added would be a part of it and be lost too.
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            # A disk that fills up takes the beginning of a line, and says so by the number alone.
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, "no room for a whole line", str(self._path))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def pending(self) -> list[tuple[str, dict[str, Any]]]:
        """(fault, undo) not yet done, the last planned first. A cut last line is passed over:
        what it would have undone was not injected yet."""
        planned: dict[str, dict[str, Any]] = {}
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row.get("done"):
                planned.pop(row["fault"], None)
            else:
                planned[row["fault"]] = row["undo"]
        return list(reversed(planned.items()))
