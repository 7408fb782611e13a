"""Where one fault is in its life, as the nemesis keeps it."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import TargetError
from harness.faults.fault import Fault, Sighting, Surroundings
from harness.guardian.journal import Journal
from harness.guardian.undo import perform


@dataclass
class Life:
    """Where one fault is in its life. heal_due_ns: when it is planned to be healed. remedied: the
    target has ended it before; the heal comes all the same, for what may be left. half: the undo of
    one whose injection failed, which may have left anything."""

    fault: Fault
    injected_ns: int | None = None
    bites: bool = False
    heal_due_ns: int | None = None
    healed_ns: int | None = None
    over: bool = False
    remedied: bool = False
    next_look_ns: int = 0
    look: "Future[Sighting] | None" = None
    look_began_ns: int = 0
    look_took_s: float = 0.0
    half: Mapping[str, Any] | None = None

    @property
    def active(self) -> bool:
        """Injected and not healed, though it was never seen; but for what is over without us."""
        over = self.over and (self.fault.healer != "nemesis" or self.remedied)
        return self.injected_ns is not None and self.healed_ns is None and not over

    def undo_half(self, run: Path, journal: Journal) -> None:
        """By the journal's undo, as whoever comes later would. Raises TargetError, OSError."""
        trouble = None if self.half is None else perform(self.half, run)
        if trouble is not None:
            raise TargetError(trouble)
        journal.done(self.fault.name)
        self.half = None


def look_at(fault: Fault, around: Surroundings) -> Sighting:
    """One look. Where there is nothing to be looked at now, as while a primary is being replaced,
    it says nothing: that is not the fault's doing."""
    at_ns = time.monotonic_ns()
    try:
        return fault.observe(around)
    except TargetError as exc:
        return Sighting(at_ns, None, str(exc))
