"""A circuit breaker per target: pybreaker holds the state, a window of outcomes decides.

pybreaker 1.4 trips on consecutive failures, holds a lock during `call`, admits everything when
half open, and keeps wall-clock time. So: our storage counts a failure *rate* over a window and
reports it as the counter pybreaker compares; `calling()` keeps the call outside the lock; a gate
admits one probe; the time of opening is kept here, on the monotonic clock.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import pybreaker

from mock_lender.clock import now_ns
from mock_lender.resilience.profile import Settings


class CallFailed(Exception):
    """What a guarded call raises inside the breaker when it failed or was too slow."""


class Window(pybreaker.CircuitMemoryStorage):
    """The last outcomes of a target. `counter` is 1 when the failure rate says open, else 0.

    pybreaker asks for the counter after it has incremented it for a failure and resets it after
    a success; both are recorded as outcomes instead.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self._outcomes: deque[bool] = deque(maxlen=settings.window_calls)
        self._least = settings.window_calls_min
        self._rate = settings.failure_rate

    def increment_counter(self) -> None:
        self._outcomes.append(False)

    def reset_counter(self) -> None:
        self._outcomes.append(True)

    def forget(self) -> None:
        """A breaker that closes again starts from nothing."""
        self._outcomes.clear()

    @property
    def counter(self) -> int:
        failed = self._outcomes.count(False)
        enough = len(self._outcomes) >= self._least
        return int(enough and failed >= self._rate * len(self._outcomes))


class Breaker:
    """One target's breaker. `admit` before a call, then exactly one of `good`, `bad`, `answered`
    and `ended`, with the `era` in which it was admitted: each opening begins a new one, and what a
    call from before it has to say is not about the probe."""

    def __init__(
        self, target: str, settings: Settings, changed: Callable[[str, str], None]
    ) -> None:
        self.target = target
        self._settings = settings
        self._changed = changed
        self._window = Window(settings)
        self._opened_ns = 0
        self.era = 0
        self._probing = False
        # reset_timeout 0: when it may be half open is decided here, on the monotonic clock.
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=1,
            reset_timeout=0,
            state_storage=self._window,
            throw_new_error_on_trip=False,
            name=target,
        )
        self._told = pybreaker.STATE_CLOSED

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return str(self._breaker.current_state)

    @property
    def refuses(self) -> bool:
        """Would a call now be refused? Changes nothing."""
        if self.state == pybreaker.STATE_CLOSED:
            return False
        return self._probing or not self._rested

    @property
    def _rested(self) -> bool:
        # A clock that was put back since says nothing of how long it has been open.
        open_ns = now_ns() - self._opened_ns
        return not 0 <= open_ns < self._settings.open_s * 1e9

    def admit(self) -> bool:
        """True: the call may be made. False: it was not sent and must not be."""
        if self.state == pybreaker.STATE_CLOSED:
            return True
        if self.refuses:
            return False
        self._breaker.half_open()
        # Told first: a probe that can't be told of is not made, and nobody says what came of it.
        self._tell()
        self._probing = True
        return True

    def good(self, era: int | None = None) -> None:
        """The call came back well and in time."""
        if self._late(era):
            return
        was = self.state
        self._through(failed=False)
        if was != pybreaker.STATE_CLOSED and self.state == pybreaker.STATE_CLOSED:
            self._window.forget()

    def bad(self, era: int | None = None) -> None:
        """The call failed, or took longer than slow_call_s."""
        if not self._late(era):
            self._through(failed=True)

    def answered(self, era: int | None = None) -> None:
        """The answer was a refusal for a reason of business: neither good nor bad. Whoever was to
        be probed is there, though."""
        if self._probing:
            self.good(era)

    def forget(self) -> None:
        """Its target was out for another reason, and has come back: what was is past."""
        self._window.forget()

    def ended(self, era: int | None = None) -> None:
        """The call was cancelled, or its answer says nothing of the target's health.

        pybreaker would count either as a success; it is simply not counted.
        """
        if self._probing and not self._late(era):
            self._probing = False
            self._breaker.open()
            self._tell()

    def _late(self, era: int | None) -> bool:
        return era is not None and era != self.era

    def _through(self, *, failed: bool) -> None:
        """Let pybreaker see an outcome. A late one, of a call made before it opened, is ignored:
        it would move the time of opening, or close what a probe has not."""
        if self.state == pybreaker.STATE_OPEN or (
            self.state == pybreaker.STATE_HALF_OPEN and not self._probing
        ):
            return
        with suppress(CallFailed, pybreaker.CircuitBreakerError), self._breaker.calling():
            if failed:
                raise CallFailed(self.target)
        self._probing = False
        self._tell()

    def _tell(self) -> None:
        if self.state == self._told:
            return
        if self.state == pybreaker.STATE_OPEN:
            self._opened_ns = now_ns()
            self.era += 1
        self._told = self.state
        self._changed(self.target, self.state)
