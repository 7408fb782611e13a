"""How many calls one wish to draw becomes: borrowers' own presses, and each hop's calls."""

from collections import Counter
from dataclasses import dataclass

from harness.judge.names import role
from harness.judge.view import RunView


@dataclass(frozen=True, slots=True)
class Amplification:
    """borrower: presses ÷ intents pressed. by_hop: calls to it ÷ presses that reached a gateway."""

    borrower: float | None
    by_hop: dict[str, float]


def amplification(view: RunView) -> Amplification:
    """Ratios to 4 digits; null without data."""
    pressed = [
        intent
        for intent, outcome in view.attempts.where(kind="press").columns("intent", "outcome")
        if outcome != "dropped"
    ]
    arrived = view.calls.where(side="server", edge="borrower->gateway")
    reached = sum(attempt > 0 for attempt in arrived.column("attempt"))
    repaid = {owed.repay_key for owed in view.repay_intents}
    made = view.calls.where(side="client")
    servers = Counter(
        server for server, key in made.columns("server", "draw_key") if key not in repaid
    )
    calls: Counter[str] = Counter()
    for server, times in servers.items():
        calls[role(server)] += times
    return Amplification(
        borrower=round(len(pressed) / len(set(pressed)), 4) if pressed else None,
        by_hop={hop: round(calls[hop] / reached, 4) for hop in sorted(calls)} if reached else {},
    )
