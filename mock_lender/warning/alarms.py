"""Which alerts are raised: each names the hop where something is wrong. Pure, but for who is told.

One bad look may be bad luck, so an alert takes as many in a row as its reason needs, and some good
looks to be cleared.
"""

from collections.abc import Callable

CLEARED_AFTER = 3


class Alarms:
    """`tell(hop, state)` hears of each reason that raises a hop, once, and of it being cleared."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._bad: dict[tuple[str, str], int] = {}
        self._good: dict[tuple[str, str], int] = {}
        self._reasons: dict[str, set[str]] = {}
        self.raised_total = 0

    @property
    def raised(self) -> list[str]:
        """Hops that are in alarm."""
        return sorted(self._reasons)

    def look(self, hop: str, reason: str, *, bad: bool, needs: int = 1) -> None:
        """One look at a hop for one reason; `needs` bad ones in a row raise it."""
        key = (hop, reason)
        if bad:
            self._good[key] = 0
            self._bad[key] = self._bad.get(key, 0) + 1
            if self._bad[key] >= needs:
                self._raise(hop, reason)
            return
        self._bad[key] = 0
        self._good[key] = self._good.get(key, 0) + 1
        if self._good[key] >= CLEARED_AFTER and reason in self._reasons.get(hop, ()):
            self._reasons[hop].discard(reason)
            if not self._reasons[hop]:
                del self._reasons[hop]
                self._tell(hop, "cleared")

    def _raise(self, hop: str, reason: str) -> None:
        reasons = self._reasons.setdefault(hop, set())
        if reason not in reasons:
            reasons.add(reason)
            self.raised_total += 1
            self._tell(hop, "raised")
