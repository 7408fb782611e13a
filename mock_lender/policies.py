"""What risk policies say of a borrower and an amount, by the scorecard. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from mock_lender.rulebook import Entry
from mock_lender.scorecard import FULL_BP, Scorecard


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why a draw is refused, or None; and what part of the limit is left, ten-thousandths."""

    reason: str | None
    limit_bp: int


def judgement(
    borrower: object, amount_fen: object, policies: Iterable[Entry], scorecard: Scorecard
) -> Judgement:
    """By all of these policies together. An amount that is no number is above none."""
    reason, limit_bp = None, FULL_BP
    for policy in policies:
        if not is_about(policy, borrower, scorecard):
            continue
        if policy.keep_bp is not None:
            limit_bp = min(limit_bp, policy.keep_bp)
        elif policy.above_fen is None:
            reason = reason or "market-stress"
        elif isinstance(amount_fen, int) and amount_fen > policy.above_fen:
            reason = reason or "tightened"
    return Judgement(reason, limit_bp)


def is_about(policy: Entry, borrower: object, scorecard: Scorecard) -> bool:
    """Is the borrower one of those that a policy is about?"""
    if policy.score_below is None:
        return policy.above_fen is not None or policy.keep_bp is not None
    return scorecard.of(borrower, policy.stress_bp or 0) < policy.score_below
