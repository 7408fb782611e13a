"""How many retries a caller may afford: a share of its calls, so that trouble is never multiplied.

The form is Finagle's budget: each call earns a part of a token, a retry costs a whole one. What has
been saved up is bounded, and is there at the start: one replica that is killed is survived, a
dependency that is down is asked a fifth more often than usual, not three times as often.
"""

from mock_lender.resilience.profile import Settings


class RetryBudget:
    """Of one caller, for one service that it calls."""

    def __init__(self, settings: Settings) -> None:
        self._share = settings.retry_share
        self._most = settings.retry_tokens
        self.tokens = self._most
        self.refused = 0

    def earn(self) -> None:
        """A call is made, its first try."""
        self.tokens = min(self._most, self.tokens + self._share)

    def take(self) -> bool:
        """May there be another try? Then it is paid for."""
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        return True
