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


def amplification(view: RunView) -> Amplification:
    """Ratios to 4 digits; null without data."""
    presses = [a for a in view.attempts if a.kind == "press" and a.outcome != "dropped"]
    pressed = len({a.intent for a in presses})
    reached = sum(
        call.side == "server" and call.edge == "borrower->gateway" and call.attempt > 0
        for call in view.calls
    )
    repaid = {owed.repay_key for owed in view.repay_intents}
    calls = Counter(
        role(call.server)
        for call in view.calls
        if call.side == "client" and call.draw_key not in repaid
    )
    return Amplification(
        borrower=round(len(presses) / pressed, 4) if pressed else None,
        by_hop={hop: round(calls[hop] / reached, 4) for hop in sorted(calls)} if reached else {},
    )
