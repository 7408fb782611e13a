"""Profiles and what each protection sets: the one table of numbers of the lender's resilience.

Money safety (idempotency, close, the sweeper) is not here: no profile switches it off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PROFILES: dict[str, tuple[str, ...]] = {
    "none": (),
    "naive": ("retries", "round_robin"),
    "full": (
        "admission", "breaker", "canary", "cells", "deadlines", "failover", "handshake",
        "money_bound", "retries", "retry_budget", "second_site", "tier_fallthrough",
    ),
}  # fmt: skip


def protections_of(profile: str, switched: Mapping[str, bool]) -> tuple[str, ...]:
    """The protections of a profile, after single ones were switched on or off; sorted."""
    chosen = set(PROFILES[profile])
    for name, on in switched.items():
        (chosen.add if on else chosen.discard)(name)
    return tuple(sorted(chosen))


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers that follow from the protections.

    The breaker comes with short timeouts: a caller that waits ten seconds learns too slowly to
    open one. The sweeper's first look is one second after the gateway's payout timeout, so that
    it never closes a key whose payout the gateway may still be waiting for.
    """

    call_timeout_s: float
    payout_timeout_s: float
    tries: int
    slow_call_s: float = 0.5
    window_calls: int = 20
    window_calls_min: int = 10
    failure_rate: float = 0.5
    open_s: float = 2.0
    # Of its calls, and how many retries can be saved up.
    retry_share: float = 0.2
    retry_tokens: float = 6.0
    # A replica is put out after so many failures in a row, or when its last calls took so many
    # times as long as the others' and so much longer; for so long, and twice that the next time.
    eject_failures: int = 5
    eject_calls_min: int = 5
    eject_times_slower: float = 3.0
    eject_slower_s: float = 0.05
    eject_share: float = 0.5
    eject_s: float = 2.0
    eject_s_max: float = 8.0
    # Whoever can't have a slot within this is told so.
    shed_after_s: float = 0.03
    sweeper_tick_s: float = 0.25
    # The first replica with a new version: how long it is watched, of how many calls it can be
    # judged, of how many if it fails most of them, and which share of them may fail.
    canary_watch_s: float = 3.0
    canary_calls_min: int = 20
    canary_calls_certain: int = 6
    canary_failed_share: float = 0.05
    # What a hop keeps back of its deadline to answer in time.
    margin_s: float = 0.03
    # A draw with less than this left is not begun.
    least_s: float = 0.05

    @property
    def sweeper_first_look_s(self) -> float:
        return self.payout_timeout_s + 1.0

    @classmethod
    def of(cls, protections: Iterable[str]) -> "Settings":
        """The settings of a set of protections."""
        chosen = set(protections)
        timeout_s = 1.0 if "breaker" in chosen else 10.0
        return cls(
            call_timeout_s=timeout_s,
            payout_timeout_s=timeout_s,
            tries=3 if "retries" in chosen else 1,
        )
