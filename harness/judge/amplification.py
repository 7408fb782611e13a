"""How many calls one wish to draw becomes: borrowers' own presses, and each hop's calls."""

from collections import Counter
from dataclasses import dataclass

from harness.judge.names import ONLOOKER, role
from harness.judge.view import RunView
from harness.judge.ways import know_ways


@dataclass(frozen=True, slots=True)
class Amplification:
    """Ratios to 4 digits; the functions say of what."""

    borrower: float | None
    by_hop: dict[str, float]
    out_per_in: dict[str, float]


PRESSED = """
SELECT count(*), count(DISTINCT intent) FROM attempts WHERE kind = 'press' AND outcome <> 'dropped'
"""
REACHED = """
SELECT count(*) FROM calls WHERE side = 'server' AND edge = 'borrower->gateway' AND attempt > 0
"""
# All calls, less those of repayments: to look for these is quicker than for all the others.
MADE = """
SELECT server, sum(times)::BIGINT FROM (
    SELECT server, times FROM ways_called WHERE side = 'client'
    UNION ALL SELECT server, -count(*) FROM calls
    WHERE side = 'client' AND draw_key IN (SELECT repay_key FROM repay_intents) GROUP BY server
) GROUP BY server
"""
SENT = "SELECT client, times FROM ways_called WHERE side = 'client' AND sent"
CAME = f"""
SELECT server, times FROM ways_called WHERE side = 'server' AND edge <> '{ONLOOKER}->gateway'
"""


def amplification(view: RunView) -> Amplification:
    """borrower: presses that were sent ÷ draws that were pressed. by_hop: calls to the hop ÷
    presses that reached a gateway.

    Over all draws; calls by the caller's record, sent or not, repayments left out. Null, or empty,
    when nothing was pressed, or nothing reached a gateway.
    """
    pressed, intents = view.books.one(PRESSED)
    (reached,) = view.books.one(REACHED)
    know_ways(view.books)
    calls: Counter[str] = Counter()
    for server, times in view.books.ask(MADE):
        calls[role(server)] += times
    return Amplification(
        borrower=round(pressed / intents, 4) if intents else None,
        by_hop={hop: round(calls[hop] / reached, 4) for hop in sorted(calls)} if reached else {},
        out_per_in=out_per_in(view),
    )


def out_per_in(view: RunView) -> dict[str, float]:
    """Calls that the replicas of a hop made ÷ requests that came to them.

    Over calls that were sent, by the caller's record, and requests by the server's; draws,
    repayments and looks alike. A hop that nothing came to, or that calls nobody, is left out.
    """
    know_ways(view.books)
    out, into = Counter[str](), Counter[str]()
    for question, hops in ((SENT, out), (CAME, into)):
        for replica, times in view.books.ask(question):
            hops[role(replica)] += times
    return {hop: round(out[hop] / into[hop], 4) for hop in sorted(out) if into[hop]}
