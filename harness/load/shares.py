"""The schedule divided: a share is a function of an intent's number, and is started once. Pure.

A share has an id, 0 to shares - 1, and hangs on nothing else: whoever takes it offers the same.
"""

from collections.abc import Iterable, Sequence

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


class Deal:
    """Who has which share. A share goes to one worker, once, and is never given to another."""

    def __init__(self, shares: int) -> None:
        self._holders: list[str | None] = [None] * shares

    def give(self, worker: str, wants: int | None) -> int | None:
        """The share of this worker: what it has already; else the one it wants, or the next free.

        None: there is none for it.
        """
        if worker in self._holders:
            return self._holders.index(worker)
        free = [share for share, holder in enumerate(self._holders) if holder is None]
        fit = [share for share in free if wants in (None, share)]
        if not fit:
            return None
        self._holders[fit[0]] = worker
        return fit[0]

    @property
    def holders(self) -> Sequence[str | None]:
        """By share."""
        return tuple(self._holders)
