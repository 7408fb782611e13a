"""Profiles and what each protection sets: the one table of numbers of the lender's resilience.

Money safety (idempotency, close, the sweeper) is not here: no profile switches it off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PROFILES: dict[str, tuple[str, ...]] = {
    "none": (),
    "naive": ("retries", "round_robin"),
    "full": (
        "admission", "breaker", "canary", "cells", "compliance_first", "deadlines", "early_warning",
        "failover", "fine_allocation", "funding_plan", "handshake", "last_verdict", "money_bound",
        "policy_handshake", "quota_cache", "retries", "retry_budget", "second_site",
        "tier_fallthrough",
    ),
}  # fmt: skip


FINE_SLICES = 8


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
    # So many calls more under way to the replicas of the own cell than to another's: it helps out.
    spill_calls: int = 4
    # Whoever can't have a slot within this is told so.
    shed_after_s: float = 0.03
    sweeper_tick_s: float = 0.25
    # Small rows for each tier's money, any of which serves any draw; 0: the parts it was given.
    slices: int = 0
    # The first replica with a new version: how long it is watched, of how many calls it can be
    # judged, of how many if it fails most of them, and which share of them may fail.
    canary_watch_s: float = 3.0
    canary_calls_min: int = 20
    canary_calls_certain: int = 6
    canary_failed_share: float = 0.05
    # The last good verdict: how often it is asked for, how long a new one is waited for by whoever
    # has it, how old it may be, and up to which amount a draw may go by it.
    verdict_every_s: float = 1.0
    verdict_wait_s: float = 0.5
    verdict_age_s: float = 20.0
    verdict_most_fen: int = 400_000
    # A quota is shown as it was read for so long; the cache's protection shows one up to the second
    # age when the ledger does not answer.
    quota_fresh_s: float = 1.0
    quota_stale_s: float = 5.0
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
            slices=FINE_SLICES if "fine_allocation" in chosen else 0,
        )
