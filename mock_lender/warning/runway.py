"""How long a tier's money lasts: its balance by how fast it is drawn. Pure.

The rate is what was drawn within the last seconds; what a tier once had to give remains known, so
that a tier from which nothing more can be drawn is not thought to last for ever.
"""

from collections import deque

WINDOW_NS = 3_000_000_000
# So much of a balance between two looks is no draw: somebody has taken it away.
WITHDRAWN = 0.5


class Runway:
    """Of one tier, from what it has at each look."""

    def __init__(self) -> None:
        self._drawn: deque[tuple[int, int]] = deque()
        self._last: tuple[int, int] | None = None
        self._began_ns: int | None = None
        self.most_fen_per_s = 0.0

    @property
    def has_fen(self) -> int:
        """At the last look."""
        return 0 if self._last is None else self._last[1]

    def saw(self, at_ns: int, has_fen: int) -> None:
        """One look, later than the one before."""
        if self._last is not None:
            fell_fen = self._last[1] - has_fen
            if 0 < fell_fen <= WITHDRAWN * self._last[1]:
                self._drawn.append((at_ns, fell_fen))
        self._began_ns = at_ns if self._began_ns is None else self._began_ns
        self._last = (at_ns, has_fen)
        while self._drawn and self._drawn[0][0] <= at_ns - WINDOW_NS:
            self._drawn.popleft()
        if at_ns - self._began_ns >= WINDOW_NS:
            drawn_fen = sum(fen for _, fen in self._drawn)
            self.most_fen_per_s = max(self.most_fen_per_s, drawn_fen / (WINDOW_NS / 1e9))

    @property
    def left_s(self) -> float | None:
        """Seconds until it is empty; None while its rate is not known, or nothing is drawn."""
        if self._last is None or not self.most_fen_per_s:
            return None
        return self._last[1] / self.most_fen_per_s


def together_s(runways: list[Runway]) -> float | None:
    """How long all of them last, drawn from at the rate of all; None while none is known."""
    rate = sum(one.most_fen_per_s for one in runways)
    return sum(one.has_fen for one in runways) / rate if rate else None
