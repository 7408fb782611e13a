"""What borrowers were told of their draws, by the generator's record alone."""

from collections.abc import Mapping

from harness.evidence.columnar import Rows
from harness.evidence.rows import DRAWING, Attempt


def first_granted_ns(attempts: Rows[Attempt]) -> Mapping[int, int]:
    """When each borrower first learned of the grant, by intent; only of those who did."""
    first: dict[int, int] = {}
    granted = attempts.where(kind=DRAWING, outcome="granted")
    for intent, done_ns in granted.columns("intent", "done_ns"):
        if done_ns is not None and done_ns <= first.get(intent, done_ns):
            first[intent] = done_ns
    return first
