"""The clock of this service, by which it decides; a fault may put it wrong.

What it writes down as evidence is dated by the machine's own clock, which nothing here touches: a
service that is wrong about the time must not be believed about when it did something.
"""

import time

_skew_ns = 0


def now_ns() -> int:
    """What this service takes for CLOCK_MONOTONIC, ns."""
    return taken_for_ns(time.monotonic_ns())


def taken_for_ns(at_ns: int) -> int:
    """What this service took a moment of the machine's clock for."""
    return at_ns + _skew_ns


def skewed(by_ns: int) -> None:
    """From now on this service's clock is wrong by so much (0: it is right)."""
    global _skew_ns  # noqa: PLW0603  a process has one clock, as it has one time.monotonic_ns
    _skew_ns = by_ns
