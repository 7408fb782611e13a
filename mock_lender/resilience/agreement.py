"""Who speaks the wrong language: a replica, or those that it calls?

With the protection `handshake` every service refuses a caller of another contract before it does
anything, and says so. A caller that most of them refuse is the wrong one itself: it is of no use to
anybody, and must say that it is not ready; one that few refuse goes on with the others.
"""

from mock_lender.clock import now_ns

# After so long it asks once more: those that it calls may be of its version by now.
ASK_AGAIN_S = 2.0


class Agreement:
    """As one replica has heard it from those that it calls."""

    def __init__(self) -> None:
        self._agree: set[str] = set()
        self._differ: set[str] = set()
        self._alone_until_ns = 0

    def said(self, server: str, agrees: bool) -> None:
        """An answer has come: of one that takes us for its like, or does not."""
        (self._agree if agrees else self._differ).add(server)
        (self._differ if agrees else self._agree).discard(server)
        if len(self._differ) > len(self._agree):
            self._alone_until_ns = now_ns() + int(ASK_AGAIN_S * 1e9)
            self._differ.clear()

    @property
    def holds(self) -> bool:
        """May this replica be asked for anything?"""
        # Longer than it ever waits: the clock was put back since.
        return not 0 < self._alone_until_ns - now_ns() <= ASK_AGAIN_S * 1e9
