"""The protection `money_bound`: a tier's bank pays out so much in a minute, and no more.

A circuit on money, not on errors: a version that pays too much, or again and again, fails nothing
and looks well to every other protection. A bucket that fills up in a minute, and holds what flows
in a few seconds: so a flood is stopped within seconds, not at the end of the minute.
"""

from mock_lender.clock import now_ns

HOLDS_S = 3.0
MINUTE_S = 60.0


class MoneyBound:
    """Of one bank. Amounts are fen."""

    def __init__(self, fen_per_minute: int) -> None:
        self._fen_per_s = fen_per_minute / MINUTE_S
        self._most_fen = self._fen_per_s * HOLDS_S
        self._left_fen = self._most_fen
        self._at_ns = now_ns()
        self.tripped = False
        self.refused = 0

    def take(self, amount_fen: int) -> bool:
        """May this be paid? Then it is counted."""
        at_ns = now_ns()
        came_fen = self._fen_per_s * max(0, at_ns - self._at_ns) / 1e9
        self._left_fen = min(self._most_fen, self._left_fen + came_fen)
        self._at_ns = at_ns
        self.tripped = self._left_fen < amount_fen
        if self.tripped:
            self.refused += 1
        else:
            self._left_fen -= amount_fen
        return not self.tripped

    def metrics(self) -> str:
        """For /metrics."""
        return f"money_left_fen {self._left_fen:.0f}\nmoney_refused_total {self.refused}\n"
