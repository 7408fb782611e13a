"""A version goes to the replicas of a role, one at a time. Decides; somebody else acts. Pure.

With the protection `canary` the first replica that has it is watched: when more of its calls fail
or are slow than of the others', it goes back and the rollout ends. Without, it goes on whatever
happens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mock_lender.resilience.profile import Settings

CERTAIN_SHARE = 0.5
Decision = Literal["wait", "next", "roll_back", "done"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls that a replica has served since it started; how many of them failed, or were slow."""

    served: int = 0
    failed: int = 0
    slow: int = 0

    def since(self, before: "Counts") -> "Counts":
        served, failed = self.served - before.served, self.failed - before.failed
        return Counts(served, failed, self.slow - before.slow)

    @property
    def shares(self) -> tuple[float, float]:
        """Of the failed and of the slow; 0 where nothing was served: ask `served` before."""
        served = max(1, self.served)
        return self.failed / served, self.slow / served


@dataclass(frozen=True, slots=True)
class Watched:
    """What the canary has served since it came up, and the others together since then."""

    canary: Counts
    others: Counts
    up_s: float


def judge(watched: Watched, settings: Settings) -> Decision:
    """Go on, go back, or watch a little longer. Too few calls say nothing, for as long as it takes:
    a version that nobody has used is not known to be good."""
    failed, of_others_failed = watched.canary.shares[0], watched.others.shares[0]
    if watched.canary.served < settings.canary_calls_min:
        # One that fails most calls is soon asked for nothing by those that leave it out.
        few = watched.canary.served < settings.canary_calls_certain
        hopeless = failed > CERTAIN_SHARE and failed > 2 * of_others_failed
        return "roll_back" if hopeless and not few else "wait"
    for share, of_others in zip(watched.canary.shares, watched.others.shares, strict=True):
        # What the others suffer as well is not the version's doing.
        if share > settings.canary_failed_share and share > 2 * of_others:
            return "roll_back"
    return "next" if watched.up_s >= settings.canary_watch_s else "wait"


@dataclass(slots=True)
class Rollout:
    """Where it has got to. names: in order; all of them, or the first few for half a rollout."""

    names: Sequence[str]
    every_s: float
    watching: bool
    settings: Settings
    given: int = 0
    last_s: float = 0.0

    def decide(self, now_s: float, watched: Watched | None) -> Decision:
        """What is to be done now. `watched`: once the first replica is up, when it is watched."""
        if self.given == 1 and self.watching:
            if watched is None:
                return "wait"
            decision = judge(watched, self.settings)
            if decision != "next":
                return decision
        if self.given == len(self.names):
            return "done"
        if self.given and now_s - self.last_s < self.every_s:
            return "wait"
        return "next"

    def gave(self, now_s: float) -> str:
        """The next replica is given the version now; its name."""
        self.given, self.last_s = self.given + 1, now_s
        return self.names[self.given - 1]


def together(now: Mapping[str, Counts], before: Mapping[str, Counts]) -> Counts:
    """What all of them have served since `before`; one that has started anew counts from there."""
    total = Counts()
    for name, counts in now.items():
        since = counts.since(before.get(name, Counts()))
        if since.served < 0:
            since = counts
        total = Counts(
            total.served + since.served, total.failed + since.failed, total.slow + since.slow
        )
    return total
