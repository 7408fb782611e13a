"""How many calls one wish to draw becomes: borrowers' own presses, and each hop's calls."""

from collections import Counter
from dataclasses import dataclass

from harness.judge.attribution import role
from harness.judge.view import RunView


@dataclass(frozen=True, slots=True)
class Amplification:
    """Ratios to 4 digits. borrower: presses ÷ intents pressed, None when nothing was. by_hop: calls
    to a hop ÷ presses that reached a gateway. out_per_in: see its function."""

    borrower: float | None
    by_hop: dict[str, float]
    out_per_in: dict[str, float]


def amplification(view: RunView) -> Amplification:
    """borrower: presses that were sent ÷ draws that were pressed. by_hop: calls to the hop ÷
    presses that reached a gateway.

    Over all draws; calls by the caller's record, sent or not, repayments left out. Null, or empty,
    when nothing was pressed, or nothing reached a gateway.
    """
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
        out_per_in=out_per_in(view),
    )


def out_per_in(view: RunView) -> dict[str, float]:
    """Calls that the replicas of a hop made ÷ requests that came to them.

    Over calls that were sent, by the caller's record, and requests by the server's; draws,
    repayments and looks alike. A hop that nothing came to, or that calls nobody, is left out.
    """
    made = view.calls.where(side="client", sent=True).counts("client")
    came = view.calls.where(side="server").counts("server")
    out, into = Counter[str](), Counter[str]()
    for counts, hops in ((made, out), (came, into)):
        for replica, times in counts.items():
            hops[role(replica)] += times
    return {hop: round(out[hop] / into[hop], 4) for hop in sorted(out) if into[hop]}
