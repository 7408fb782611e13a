"""Ctrl-C and SIGTERM: asked to stop, a drill ends in order instead of dying where it stands."""

import signal
from types import FrameType


class Interrupted(Exception):
    """Somebody asked the command to stop. Not an error: the drill ends early and says so."""


class StopFlag:
    """Set by the first SIGINT or SIGTERM; loops look at it. Further signals change nothing."""

    def __init__(self) -> None:
        self._by: str | None = None

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
        """Raises Interrupted once asked to stop."""
        if self._by is not None:
            raise Interrupted(self._by)
