"""What one event moved is the same, and dated alike, wherever the lender wrote it down. Parts of
rules 4, 6 and 7.

A transaction of the ledger dates all that it writes by the locks that it won: a try begins when
the last of its accounts was locked for its reservation, and ends when the last was for its end; its
draw ends with it. Each of its accounts moves once at either: the borrower's own, the slice of its
tier, and that of `own` where it has a part. A book in which somebody has moved a date, a person or
a tier no longer agrees so; nor does one that is whole in itself and somebody else's debt.
"""

from harness.clock import NS_PER_MS
from harness.judge.clocks import ledger_is_dated
from harness.judge.offences import Offences
from harness.judge.view import RunView

# By so much the clocks of bank and ledger, which is read from the wall clock, may differ unnoticed.
NEAR_NS = 5 * NS_PER_MS
# A fault that sets the clock of a service: what it dates meanwhile says nothing.
SET_CLOCK = "clock_skew"

# What versions say of each try: when it began and ended, whose quota and how many slices it moved.
MOVES = """
SELECT {nr}(draw_key, "try") AS nr, max(locked_ns) FILTER (event = 'reserve') AS opened_ns,
    max(locked_ns) FILTER (event <> 'reserve') AS ended_ns,
    bool_or(event = 'post') AS posted, bool_or(event = 'void') AS voided,
    min(TRY_CAST(substr(account, 10) AS BIGINT)) FILTER (quota) AS first_whose,
    max(TRY_CAST(substr(account, 10) AS BIGINT)) FILTER (quota) AS last_whose,
    count(*) FILTER (quota AND event = 'reserve') AS quota_began,
    count(*) FILTER (quota AND event <> 'reserve') AS quota_ended,
    count(*) FILTER (NOT quota AND event = 'reserve') AS slices_began,
    count(*) FILTER (NOT quota AND event <> 'reserve') AS slices_ended
FROM (SELECT *, starts_with(account, 'borrower:') AS quota FROM versions)
WHERE event IN ('reserve', 'post', 'void') GROUP BY ALL
"""
# The same by the try's own row, as far as that says it.
OWN = """
SELECT {nr}(t.draw_key, t."try") AS nr, t.state, t.opened_ns, t.ended_ns, d.borrower, {named}
    (t.state <> 'paying')::INT AS ends, 1 + (t.own_fen <> 0)::INT AS slices
FROM tries t LEFT JOIN (SELECT {nr}(draw_key) AS nr, borrower FROM {draws}) d
    ON d.nr = {nr}(t.draw_key)
"""
WRONG = """
t.nr IS NOT NULL AND m.opened_ns IS DISTINCT FROM t.opened_ns AS other_start,
t.nr IS NOT NULL AND m.ended_ns IS DISTINCT FROM t.ended_ns AS other_end,
t.nr IS NULL OR m.first_whose IS DISTINCT FROM t.borrower
    OR m.last_whose IS DISTINCT FROM t.borrower AS another,
m.quota_began IS DISTINCT FROM 1 OR m.quota_ended IS DISTINCT FROM t.ends
    OR m.slices_began IS DISTINCT FROM t.slices
    OR m.slices_ended IS DISTINCT FROM t.ends * t.slices AS miscounted
"""
TRIES = f"""
SELECT {{which}}, {WRONG} FROM ({OWN}) t FULL JOIN ({MOVES}) m ON m.nr = t.nr
WHERE other_start OR other_end OR another OR miscounted
    OR coalesce(m.posted, false) <> (t.state = 'paid') OR (m.posted AND m.voided)
"""
NAME = """
coalesce(t.payout_key, 'a try that is not there of ' || m.nr[1] || ' try ' || m.nr[2])
"""
IN_ORDER = 'ORDER BY t.draw_key NULLS LAST, t."try", 1'

# What is wrong with a try, in the order of its columns, and when it is none of them.
MOVED = (
    "began otherwise than its versions say",
    "ended otherwise than its versions say",
    "moved the quota of another borrower, or of none",
    "did not move its borrower's quota and its slices once each",
)
POSTED = "was posted or not otherwise than its versions say"

DRAWS = """
SELECT d.draw_key, d.amount_fen FROM {draws} d
LEFT JOIN {tries} t ON t.draw_key = d.draw_key AND t."try" = d."try"
WHERE d.state = 'paid'
        AND (t.state IS DISTINCT FROM 'paid' OR t.tier IS DISTINCT FROM d.tier
            OR t.ended_ns IS DISTINCT FROM d.ended_ns OR t.opened_ns IS DISTINCT FROM d.decided_ns)
    OR t.state = 'paid' AND d.state <> 'paid'
ORDER BY d.draw_key
"""


def events_agree(view: RunView, found: Offences) -> None:
    """6: each try has moved its borrower's quota and its slices once at its start and once at its
    end, and is dated by that; each paid draw is dated as its paid try: it was decided as that
    began, by which the law is known that it was decided under."""
    books = view.books
    draws = books.single("draws", "draw_key")
    # By numbers made of the keys first, which is quick; then, if there is anything, by the keys.
    suspect = books.ask(TRIES.format(nr="hash", named="", which="true", draws=draws))
    named = 't.draw_key, t."try", t.payout_key,'
    again = TRIES.format(nr="row", named=named, which=NAME, draws=draws) + IN_ORDER
    for key, *wrong in books.ask(again) if suspect else ():
        what = next((words for words, so in zip(MOVED, wrong, strict=True) if so), POSTED)
        found.add(0, f"{key}: {what}")
    question = DRAWS.format(draws=draws, tries=books.single("tries", 'draw_key, "try"'))
    for key, amount_fen in books.ask(question):
        found.add(amount_fen, f"{key}: its last try has another state, tier, start or end")


PAYOUTS = """
SELECT p.payout_key, p.amount_fen, p.paid_ns < t.opened_ns - $near_ns AS too_soon
FROM {payouts} p JOIN {tries} t USING (payout_key)
WHERE t.state = 'paid' AND (too_soon OR p.paid_ns > t.ended_ns + $near_ns)
ORDER BY p.payout_key
"""


def paid_meanwhile(view: RunView, found: Offences) -> None:
    """7: a bank paid between the beginning of its try and the end that the ledger posted."""
    # By the plan: of a run whose record of faults is gone it would say too little.
    skewed = any(SET_CLOCK in fault.name for fault in view.scenario.faults)
    if skewed or not ledger_is_dated(view):
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
