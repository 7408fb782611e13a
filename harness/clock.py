"""The clock of a drill: CLOCK_MONOTONIC of the controller's host, in nanoseconds."""

import time
from dataclasses import dataclass
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """What a schedule needs of time: read it, and wait for it."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC, ns."""

    def sleep_until_ns(self, at_ns: int) -> None:
        """Return no earlier than `at_ns`."""


class MonotonicClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until_ns(self, at_ns: int) -> None:
        left_ns = at_ns - time.monotonic_ns()
        while left_ns > 0:
            time.sleep(left_ns / NS_PER_S)
            left_ns = at_ns - time.monotonic_ns()


@dataclass
class ManualClock:
    """A clock for tests: a wait moves it at once."""

    at_ns: int = 0

    def now_ns(self) -> int:
        return self.at_ns

    def sleep_until_ns(self, at_ns: int) -> None:
        self.at_ns = max(self.at_ns, at_ns)
