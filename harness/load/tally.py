"""How the draws of a share stand: counted as they end, so that asking costs nothing. Pure."""

from bisect import bisect_right
from collections.abc import Sequence

from harness.evidence.rows import Intent

ENDS = ("granted", "refused", "failed", "unknown", "dropped")


class Tally:
    """`intents` in due order; all that is ever kept of one is a byte."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        self._due_ns = [one.due_ns for one in intents]
        self._place = {one.intent: place for place, one in enumerate(intents)}
        self._ends = bytearray(len(intents))
        self._counts = dict.fromkeys(ENDS, 0)
        self._ripe = 0
        self._ripe_counts = dict.fromkeys(ENDS, 0)
        self.offered = self.done = self.attempted = 0

    def end(self, intent: int, how: str) -> None:
        """It has ended, with this outcome; once."""
        place = self._place[intent]
        self._ends[place] = ENDS.index(how) + 1
        self.done += 1
        self._counts[how] += 1
        if place < self._ripe:
            self._ripe_counts[how] += 1

    def counts(self, at_ns: int, patience_ns: int) -> dict[str, int]:
        """Of the moment `at_ns` after t = 0. matured: draws due more than `patience_ns` ago;
        `matured_*`: how many of them have ended granted or refused."""
        ripe = bisect_right(self._due_ns, at_ns - patience_ns)
        for place in range(self._ripe, ripe):
            if self._ends[place]:
                self._ripe_counts[ENDS[self._ends[place] - 1]] += 1
        self._ripe = max(self._ripe, ripe)
        return {
            "due": bisect_right(self._due_ns, at_ns),
            "matured": self._ripe,
            "matured_granted": self._ripe_counts["granted"],
            "matured_refused": self._ripe_counts["refused"],
            "done": self.done,
            "attempted": self.attempted,
            "in_flight": self.offered - self.done,
            **self._counts,
        }
