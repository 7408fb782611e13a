"""How many calls one wish to draw becomes: borrowers' own presses, and each hop's calls."""

from collections import Counter
from dataclasses import dataclass

from harness.judge.attribution import role
from harness.judge.view import RunView


@dataclass(frozen=True, slots=True)
class Amplification:
    """borrower: presses ÷ intents pressed. by_hop: calls to it ÷ presses that reached a gateway."""

    borrower: float | None
    by_hop: dict[str, float]


PRESSED = """
SELECT count(*), count(DISTINCT intent) FROM attempts WHERE kind = 'press' AND outcome <> 'dropped'
"""
REACHED = """
SELECT count(*) FROM calls WHERE side = 'server' AND edge = 'borrower->gateway' AND attempt > 0
"""
MADE = """
SELECT server, count(*) FROM calls
WHERE side = 'client'
    AND NOT EXISTS (SELECT 1 FROM repay_intents r WHERE r.repay_key = calls.draw_key)
GROUP BY server
"""


def amplification(view: RunView) -> Amplification:
    """Ratios to 4 digits; null without data."""
    pressed, intents = view.books.one(PRESSED)
    (reached,) = view.books.one(REACHED)
    calls: Counter[str] = Counter()
    for server, times in view.books.ask(MADE):
        calls[role(server)] += times
    return Amplification(
        borrower=round(pressed / intents, 4) if intents else None,
        by_hop={hop: round(calls[hop] / reached, 4) for hop in sorted(calls)} if reached else {},
    )
