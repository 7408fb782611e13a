"""The scorecard as the design has it, replayed by the judge's own arithmetic: whom is a risk policy
about, and does it say no to a draw?

Points: 1,500; 40 for each month with the lender, up to 60; 3,600 by the part of the credit
elsewhere that is not in use; 600 for each income band above the first; less 3,000 and 50 a day for
arrears. A market under stress takes its share of 2,000 points and of 6,000 by the credit in use.
Whole numbers, 0 to 9,999.
"""

from collections.abc import Iterable
from typing import Any

from harness.evidence.rows import Borrower, Policy

BP = 10_000
MOST = 9_999


def score(person: Borrower, stress_bp: int = 0) -> int | None:
    """The points of a borrower in such a market; None where a run has no features."""
    months, used_bp, days, band = person[5:9]
    if months is None or used_bp is None or days is None or band is None:
        return None
    lost = 3_000 + 50 * days if days else 0
    shock = stress_bp * (2_000 + 6_000 * used_bp // BP) // BP
    gained = 1_500 + min(months, 60) * 40 + (BP - used_bp) * 3_600 // BP + 600 * band - 600
    return max(0, min(MOST, gained - lost - shock))


def is_about(policy: Policy, person: Borrower | None) -> bool | None:
    """Is the borrower one of those that a policy of risk is about? None: can't be told."""
    if policy.score_below is None:
        return True
    points = None if person is None else score(person, policy.stress_bp or 0)
    return None if points is None else points < policy.score_below


def below_for(population: Iterable[Borrower], share: float) -> int:
    """The number of points below which `share` of those without arrears are, in a calm market."""
    scores = sorted(score(one) or 0 for one in population if not one.past_due_days)
    number = round(share * len(scores))
    return scores[number] if number < len(scores) else MOST + 1


def cut_fen(policy: Policy, limit_fen: int) -> int:
    """What a policy takes off a limit."""
    return 0 if policy.keep_bp is None else limit_fen - limit_fen * policy.keep_bp // BP


def refuses(policy: Policy, amount_fen: int, limit_fen: int, available_fen: int) -> bool:
    """Does a policy of risk say no to such a draw of whom it is about? available_fen: of the whole
    limit."""
    if policy.keep_bp is not None:
        return amount_fen > available_fen - cut_fen(policy, limit_fen)
    if policy.above_fen is not None:
        return amount_fen > policy.above_fen
    return policy.score_below is not None


# The same in SQL, of an intent and its borrower (amount_fen, purpose, available_fen, limit_fen and
# the features), and of a policy's columns as SQL.
POINTS = """CASE WHEN tenure_months + utilisation_bp + past_due_days + income_band IS NOT NULL
    THEN greatest(0, least({most}, 1500 + least(tenure_months, 60) * 40
    + ({bp} - utilisation_bp) * 3600 // {bp} + 600 * income_band - 600
    - CASE WHEN past_due_days > 0 THEN 3000 + 50 * past_due_days ELSE 0 END
    - coalesce({stress_bp}, 0) * (2000 + 6000 * utilisation_bp // {bp}) // {bp})) END"""
AGAINST = """coalesce({forbids} = purpose, false) OR (
    ({score_below} IS NULL OR coalesce({points} < {score_below}, false))
    AND CASE WHEN {keep_bp} IS NOT NULL
        THEN amount_fen > available_fen - (limit_fen - limit_fen * {keep_bp} // {bp})
        WHEN {above_fen} IS NOT NULL THEN amount_fen > {above_fen}
        ELSE {score_below} IS NOT NULL END)"""
COLUMNS = ("forbids", "above_fen", "score_below", "stress_bp", "keep_bp")


def against(**policy: str) -> str:
    """Is the policy with these columns (SQL each) against an intent?"""
    points = POINTS.format(most=MOST, bp=BP, stress_bp=policy["stress_bp"])
    return "(" + AGAINST.format(points=points, bp=BP, **policy) + ")"


def literals(row: Iterable[Any]) -> dict[str, str]:
    """The values of these columns in SQL."""
    return {name: _literal(name, one) for name, one in zip(COLUMNS, row, strict=True)}


def _literal(name: str, found: Any) -> str:
    if found is None:
        return "NULL::VARCHAR" if name == "forbids" else "NULL::BIGINT"
    return str(found) if isinstance(found, int) else "'" + str(found).replace("'", "''") + "'"
