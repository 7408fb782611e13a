"""The witness: which server is the primary, under which epoch, and is its standby in sync?

A file outside both databases, so that it can be believed when one of them can't. It is written by
the monitor alone, and is on the disk before anything that follows from it is done.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NAME = "witness.json"


@dataclass(frozen=True, slots=True)
class Member:
    """One server. role: primary | standby | rebuilding | fenced. start_ticks tells a reused pid."""

    name: str
    role: str
    pid: int
    start_ticks: int
    port: int


@dataclass(frozen=True, slots=True)
class Witness:
    """primary None: there is none for the moment, and nobody may be asked. in_sync: every commit
    acknowledged under this epoch is on the standby's disk too. at_ns: CLOCK_MONOTONIC."""

    epoch: int
    primary: str | None
    in_sync: bool
    members: tuple[Member, ...]
    at_ns: int

    def write(self, path: Path) -> None:
        """On the disk when this returns; a reader sees the old file or the new one."""
        partial = path.with_suffix(".partial")
        with partial.open("w") as file:
            file.write(json.dumps(asdict(self), indent=1))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def read(cls, path: Path) -> "Witness":
        raw: dict[str, Any] = json.loads(path.read_text())
        raw["members"] = tuple(Member(**member) for member in raw["members"])
        return cls(**raw)

    def member(self, role: str) -> Member | None:
        """The server in a role."""
        return next((member for member in self.members if member.role == role), None)

    @property
    def port(self) -> int | None:
        """Where the primary listens; None while there is none."""
        found = next((m for m in self.members if m.name == self.primary), None)
        return None if found is None else found.port


def now_ns() -> int:
    """The date of a witness."""
    return time.monotonic_ns()
