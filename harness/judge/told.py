"""What borrowers were told of their draws, by the generator's record alone."""

from collections.abc import Mapping

from harness.evidence.columnar import Rows
from harness.evidence.query import Books
from harness.evidence.rows import DRAWING, Attempt


def first_granted_ns(attempts: Rows[Attempt]) -> Mapping[int, int]:
    """When each borrower first learned of the grant, by intent; only of those who did."""
    first: dict[int, int] = {}
    granted = attempts.where(kind=DRAWING, outcome="granted")
    for intent, done_ns in granted.columns("intent", "done_ns"):
        if done_ns is not None and done_ns <= first.get(intent, done_ns):
            first[intent] = done_ns
    return first


def speaks_of_the_draw(kind: str, reason: str | None) -> bool:
    """Does what found nothing paid say so of the draw, and not, as a voided press, of itself?"""
    return reason == "closed" or (reason == "voided" and kind != "press")


TOLD = """
SELECT intent, min(done_ns) FILTER (outcome = 'granted') AS granted_ns,
    bool_or(outcome = 'granted') AS granted,
    bool_or(outcome = 'refused' AND cause IS DISTINCT FROM 'liquidity') AS refused,
    bool_and(outcome IN ('failed', 'refused')) AS nothing, bool_or(outcome = 'unknown') AS asked,
    max(sent_ns) FILTER (unpaid) AS voided_ns, bool_or(unpaid AND outcome = 'failed') AS undone
FROM (
    SELECT *, reason = 'closed' OR (reason = 'voided' AND kind <> 'press') AS unpaid
    FROM attempts WHERE kind IN ('press', 'poll', 'close')
) GROUP BY intent
"""


def know_what_was_told(books: Books) -> None:
    """Let questions know the table `told`, a row an intent that was ever pressed: when its borrower
    first learned of the grant; whether it was ever granted, or refused for good (no money for the
    moment is not); whether each of its attempts was told that nothing has happened (`nothing`),
    whether one may have worked (`asked`); when the last question was sent that was answered with
    nothing paid (`voided_ns`), and whether one was told so for certain (`undone`)."""
    books.once("told", TOLD)
