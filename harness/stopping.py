"""Ctrl-C, SIGTERM and `drawproof stop`: asked to stop, a drill ends in order instead of dying where
it stands."""

import signal
from pathlib import Path
from types import FrameType

from harness.errors import SafetyError

# In the run directory: who asked, in one line.
REQUEST = "stop"


class Interrupted(Exception):
    """Somebody asked the command to stop. Not an error: the drill ends early and says so."""


class StopFlag:
    """Set by the first SIGINT or SIGTERM; loops look at it. Further signals change nothing."""

    def __init__(self) -> None:
        self._by: str | None = None
        self._request: Path | None = None

    def obey(self, run: Path) -> None:
        """From now on `drawproof stop` can stop this run."""
        self._request = run / REQUEST

    def install(self) -> None:
        """Take over the two signals, in the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._set)

    def _set(self, number: int, _frame: FrameType | None) -> None:
        self._by = self._by or signal.Signals(number).name

    @property
    def by(self) -> str | None:
        """The signal's name, or None."""
        return self._by

    def check(self) -> None:
        """Raises Interrupted once signalled, SafetyError once somebody has stopped the run."""
        if self._by is not None:
            raise Interrupted(self._by)
        if self._request is not None and self._request.exists():
            raise SafetyError(f"stopped by {self._request.read_text().strip()}")
