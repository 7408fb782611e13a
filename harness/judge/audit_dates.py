"""What one event moved is dated alike wherever the lender wrote it down. Parts of rules 4, 6 and 7.

A transaction of the ledger dates all that it writes by the locks that it won: a try begins when
the last of its accounts was locked for its reservation, and ends when the last was for its end; its
draw ends with it. A book in which somebody has moved a date, a person or a tier no longer
agrees so.
"""

from harness.clock import NS_PER_MS
from harness.judge.offences import Offences
from harness.judge.view import RunView

# By so much the clocks of bank and ledger, which is read from the wall clock, may differ unnoticed.
NEAR_NS = 5 * NS_PER_MS
# A fault that sets the clock of a service: what it dates meanwhile says nothing.
SET_CLOCK = "clock_skew"

TRIES = """
WITH moves AS (
    SELECT {nr}(draw_key, "try") AS nr, max(locked_ns) FILTER (event = 'reserve') AS opened_ns,
        max(locked_ns) FILTER (event IN ('post', 'void')) AS ended_ns,
        bool_or(event = 'post') AS posted
    FROM versions WHERE event IN ('reserve', 'post', 'void') GROUP BY ALL
)
SELECT t.payout_key, m.opened_ns IS DISTINCT FROM t.opened_ns AS other_start,
    m.ended_ns IS DISTINCT FROM t.ended_ns AS other_end
FROM tries t LEFT JOIN moves m ON m.nr = {nr}(t.draw_key, t."try")
WHERE other_start OR other_end OR coalesce(m.posted, false) <> (t.state = 'paid')
ORDER BY t.draw_key, t."try", t.payout_key
"""

DRAWS = """
SELECT d.draw_key, d.amount_fen FROM {draws} d
LEFT JOIN {tries} t ON t.draw_key = d.draw_key AND t."try" = d."try"
WHERE d.state = 'paid'
        AND (t.state, t.tier, t.ended_ns) IS DISTINCT FROM ('paid', d.tier, d.ended_ns)
    OR t.state = 'paid' AND d.state <> 'paid'
ORDER BY d.draw_key
"""


def events_agree(view: RunView, found: Offences) -> None:
    """6: each try is dated by the versions that it moved, and each paid draw as its paid try."""
    books = view.books
    # By numbers made of the keys first, which is quick; then, if there is anything, by the keys.
    suspect = books.ask(TRIES.format(nr="hash"))
    for key, other_start, other_end in books.ask(TRIES.format(nr="row")) if suspect else ():
        what = "began" if other_start else "ended" if other_end else "was posted or not"
        found.add(0, f"{key}: {what} otherwise than its versions say")
    question = DRAWS.format(
        draws=books.single("draws", "draw_key"), tries=books.single("tries", 'draw_key, "try"')
    )
    for key, amount_fen in books.ask(question):
        found.add(amount_fen, f"{key}: its last try has another state, tier or end")


PAYOUTS = """
SELECT p.payout_key, p.amount_fen, p.paid_ns < t.opened_ns - $near_ns AS too_soon
FROM {payouts} p JOIN {tries} t USING (payout_key)
WHERE t.state = 'paid' AND (too_soon OR p.paid_ns > t.ended_ns + $near_ns)
ORDER BY p.payout_key
"""


def paid_meanwhile(view: RunView, found: Offences) -> None:
    """7: a bank paid between the beginning of its try and the end that the ledger posted."""
    if any(SET_CLOCK in fault.name for fault in view.faults):
        return
    books = view.books
    question = PAYOUTS.format(
        payouts=books.single("payouts", "payout_key"), tries=books.single("tries", "payout_key")
    )
    for key, amount_fen, too_soon in books.ask(question, {"near_ns": NEAR_NS}):
        when = "before its try had begun" if too_soon else "after the ledger had posted it"
        found.add(amount_fen, f"{key}: paid {when}")


TWICE = """
SELECT payout_key, count(*) FROM tries GROUP BY payout_key HAVING count(*) > 1 ORDER BY payout_key
"""


def tries_once(view: RunView, found: Offences) -> None:
    """7: a try stands in the ledger once."""
    if not view.books.doubled("tries", "payout_key"):
        return
    for key, times in view.books.ask(TWICE):
        found.add(0, f"{key}: stands in the ledger {times} times")
