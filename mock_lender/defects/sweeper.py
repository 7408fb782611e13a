"""A spoilt sweeper."""

from collections.abc import Collection
from dataclasses import replace

from mock_lender.ledger.store import Stale
from mock_lender.ledger.sweeper import Sweeper


def sweeper_of(defects: Collection[str]) -> type[Sweeper]:
    """The sweeper that this lender's ledgers have."""
    return VoidsOnNotFound if "sweeper-voids-on-not-found" in defects else Sweeper


class VoidsOnNotFound(Sweeper):
    """Asks every bank as if it could not close keys, at a time when it may still pay.

    What is not paid yet is voided without a tombstone, and a payout that is late, not lost, pays a
    voided try; the borrower presses again and is paid twice. Rule books-agree.
    """

    async def _end(self, stale: Stale) -> None:
        await super()._end(replace(stale, closes=False))
