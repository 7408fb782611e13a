"""Which replicas of a service are unlike the others, and are left out for a while.

Out is a replica that failed so many calls in a row, or that takes several times as long as the
others do: a gray one answers its health check all the while. Where the others are not asked, as in
a cell, it is held against what it used to take itself. Never more than a share of them is out at
once: what all of them have is not the replica's own trouble. Whoever is out comes back by one call
on trial; a bad trial puts it out for twice as long.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from mock_lender.clock import now_ns
from mock_lender.resilience.profile import Settings

TIMES = 10
# What a replica used to take: so much of each call, known after so many of them.
USED_TO, USED_TO_CALLS = 0.02, 50


@dataclass(slots=True)
class _Record:
    """What a caller knows of one replica. out_until_ns 0: it is in."""

    failed_in_a_row: int = 0
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))
    out_until_ns: int = 0
    times_out: int = 0
    on_trial: bool = False
    used_to_s: float = 0.0
    calls: int = 0

    def took(self, took_s: float) -> None:
        """A call went well and took so long."""
        self.times_s.append(took_s)
        self.calls += 1
        self.used_to_s += max(USED_TO, 1 / self.calls) * (took_s - self.used_to_s)


class Outliers:
    """The replicas of one service, as one caller sees them. `begin` before a call, then exactly one
    of `learn` and `ended`."""

    def __init__(
        self, names: Sequence[str], settings: Settings, changed: Callable[[str, str], None]
    ) -> None:
        self._each = {name: _Record() for name in names}
        self._settings = settings
        self._changed = changed
        self._most_out = int(settings.eject_share * len(names))

    def out(self, name: str) -> bool:
        """Has it been put out, and is not back yet?"""
        return self._each[name].out_until_ns > 0

    def refuses(self, name: str) -> bool:
        """Would a call now not be made? Changes nothing."""
        one = self._each[name]
        left_ns = one.out_until_ns - now_ns()
        # Longer than anybody is put out for: the clock was put back since.
        waits = 0 < left_ns <= self._settings.eject_s_max * 1e9
        return one.out_until_ns > 0 and (one.on_trial or waits)

    def begin(self, name: str) -> bool:
        """A call to it is made: True, when it is the one on trial."""
        one = self._each[name]
        one.on_trial = one.out_until_ns > 0
        return one.on_trial

    def ended(self, name: str, *, trial: bool) -> None:
        """The call was given up, or its answer says nothing of the replica."""
        if trial:
            self._each[name].on_trial = False

    def learn(
        self, name: str, took_s: float, *, failed: bool, trial: bool, others_out: int = 0
    ) -> None:
        """What came of a call. others_out: replicas that are out for another reason already."""
        one = self._each[name]
        if trial:
            one.on_trial = False
            if failed or self._slow(name, took_s):
                self._put_out(name)
            else:
                self._each[name] = _Record()
                self._changed(name, "in")
        elif not one.out_until_ns:  # else: of a call that was made before it was put out
            one.failed_in_a_row = one.failed_in_a_row + 1 if failed else 0
            if not failed:
                one.took(took_s)
            many = one.failed_in_a_row >= self._settings.eject_failures
            if (many or self._outlies(name)) and self._room(others_out):
                self._put_out(name)

    def _room(self, others_out: int) -> bool:
        out = sum(one.out_until_ns > 0 for one in self._each.values()) + others_out
        return out < self._most_out

    def _outlies(self, name: str) -> bool:
        times_s = self._each[name].times_s
        enough = len(times_s) >= self._settings.eject_calls_min
        return enough and self._slow(name, fmean(times_s))

    def _slow(self, name: str, took_s: float) -> bool:
        """Is it far slower than the others, those that are in and were asked often enough?"""
        others = [
            fmean(one.times_s)
            for other, one in self._each.items()
            if other != name
            and not one.out_until_ns
            and len(one.times_s) >= self._settings.eject_calls_min
        ]
        one = self._each[name]
        if not others and one.calls < USED_TO_CALLS:
            return False
        usual_s = median(others) if others else one.used_to_s
        return took_s > self._settings.eject_times_slower * usual_s + self._settings.eject_slower_s

    def _put_out(self, name: str) -> None:
        one = self._each[name]
        out_s = min(self._settings.eject_s * 2**one.times_out, self._settings.eject_s_max)
        self._each[name] = _Record(
            out_until_ns=now_ns() + int(out_s * 1e9), times_out=one.times_out + 1
        )
        self._changed(name, "out")
