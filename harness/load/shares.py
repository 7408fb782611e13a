"""The schedule divided: a share is a function of an intent's number. Pure.

A share has an id, 0 to shares - 1, and hangs on nothing else: whoever takes it offers the same.
"""

from collections.abc import Iterable

from harness.evidence.rows import Intent


def share_of(intent: int, shares: int) -> int:
    """Which share an intent belongs to, counted from 0. Neighbours lie in different shares, so that
    all have the same load at any time."""
    return intent % shares


def of_share(intents: Iterable[Intent], share: int, shares: int) -> tuple[Intent, ...]:
    """The intents of one share, in the order given. Raises ValueError."""
    if not 0 <= share < shares:
        raise ValueError(f"share {share} of {shares}: shares are numbered from 0 to {shares - 1}")
    return tuple(one for one in intents if share_of(one.intent, shares) == share)
