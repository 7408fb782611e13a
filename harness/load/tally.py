"""How the draws of a share stand: counted as they end, so that asking costs little. Pure."""

from bisect import bisect_right
from collections.abc import Sequence

from harness.clock import NS_PER_MS
from harness.evidence.rows import Intent

ENDS = ("granted", "refused", "failed", "unknown", "dropped")


def recent_key(window_ms: int, what: str) -> str:
    """The name of a window's count: `due`, `granted` or `refused`."""
    return f"recent_{window_ms}_{what}"


class Tally:
    """`intents` in due order; all that is ever kept of one is a byte."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        self._due_ns = [one.due_ns for one in intents]
        self._place = {one.intent: place for place, one in enumerate(intents)}
        self._ends = bytearray(len(intents))
        self._counts = dict.fromkeys(ENDS, 0)
        self.offered = self.done = self.attempted = 0

    def end(self, intent: int, how: str) -> None:
        """It has ended, with this outcome; once."""
        self._ends[self._place[intent]] = ENDS.index(how) + 1
        self.done += 1
        self._counts[how] += 1

    def counts(
        self, at_ns: int, patience_ns: int = 0, windows_ms: Sequence[int] = ()
    ) -> dict[str, int]:
        """Of the moment `at_ns` after t = 0. recent_N_*: of the draws due in the N ms that ended
        `patience_ns` ago, once so much time has passed: how many, and how many of them have ended
        granted or refused."""
        return {
            "due": bisect_right(self._due_ns, at_ns),
            "done": self.done,
            "attempted": self.attempted,
            "in_flight": self.offered - self.done,
            **self._counts,
            **{
                name: count
                for window_ms in windows_ms
                for name, count in self._recent(at_ns - patience_ns, window_ms).items()
            },
        }

    def _recent(self, end_ns: int, window_ms: int) -> dict[str, int]:
        begin_ns = end_ns - window_ms * NS_PER_MS
        if begin_ns < 0:
            return {}
        first, beyond = (bisect_right(self._due_ns, at_ns) for at_ns in (begin_ns, end_ns))
        ends = self._ends[first:beyond]
        known = {how: ends.count(ENDS.index(how) + 1) for how in ("granted", "refused")}
        return {
            recent_key(window_ms, what): count
            for what, count in {"due": beyond - first, **known}.items()
        }
