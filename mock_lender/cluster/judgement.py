"""Is a database gone? Pure decisions from a pulse, so that they can be tested without a database.

A refused connection is certain on one host; silence is not, so it must last. A monitor that was
itself held up knows nothing of the time it missed, and gives everybody that much longer.
"""

from dataclasses import dataclass
from typing import Literal

from mock_lender.cluster.replication import Pulse

NS_PER_S = 1_000_000_000
REFUSALS = 2
SILENT_S = 1.0
LATE_COPY_S = 1.0
LATE_TICK_S = 0.1


@dataclass(slots=True)
class Patience:
    """How long the monitor itself did not run since the last answer."""

    _ticked_ns: int = 0
    _answered_ns: int = 0
    _held_up_ns: int = 0

    def held_up_ns(self, pulse: Pulse, now_ns: int) -> int:
        """To be asked at each tick."""
        if pulse.answered_ns != self._answered_ns:
            self._answered_ns, self._held_up_ns = pulse.answered_ns, 0
        if now_ns - self._ticked_ns > LATE_TICK_S * NS_PER_S:
            # Also when there was an answer just before it was held up, which it hears of only now.
            self._held_up_ns += max(0, now_ns - max(self._ticked_ns, pulse.answered_ns))
        self._ticked_ns = now_ns
        return self._held_up_ns


def primary_is(pulse: Pulse, now_ns: int, held_up_ns: int) -> Literal["well", "dead", "silent"]:
    """`held_up_ns`: how long the monitor itself did not run since the last answer."""
    if pulse.refused >= REFUSALS:
        return "dead"
    if now_ns - pulse.answered_ns - held_up_ns > SILENT_S * NS_PER_S:
        return "silent"
    return "well"


def standby_is_lost(pulse: Pulse, now_ns: int, held_up_ns: int) -> bool:
    """The primary answers, and its standby has not caught up with it for too long."""
    if now_ns - pulse.answered_ns > SILENT_S * NS_PER_S:
        return False
    return pulse.answered_ns - pulse.copied_ns - held_up_ns > LATE_COPY_S * NS_PER_S
