"""Rules about what borrowers were told, against what the ledger and the banks did."""

from collections import defaultdict
from collections.abc import Sequence

from harness.evidence.rows import DRAWING, Attempt
from harness.judge import audit_repayments
from harness.judge.audit_dates import NEAR_NS
from harness.judge.clocks import clock_error_ns, ledger_is_dated
from harness.judge.ends import Ends, IntentEnd
from harness.judge.offences import Offences
from harness.judge.told import know_what_was_told, speaks_of_the_draw
from harness.judge.view import RunView

# What an answer may be followed by. An unknown may become anything; a certain failure may be
# followed by the next try; what is final stays.
FINAL = ("granted", "refused")


GRANTED = """
SELECT i.draw_key, i.amount_fen, CASE WHEN d.draw_key IS NULL THEN ', not in the ledger'
        WHEN d.state <> 'paid' THEN ', ' || d.state || ' in the ledger'
        WHEN d.borrower IS DISTINCT FROM i.borrower OR d.amount_fen IS DISTINCT FROM i.amount_fen
            THEN ' to another borrower or amount'
        WHEN $dated AND t.granted_ns < d.ended_ns - $near_ns THEN ' before it was posted' END AS how
FROM intents i JOIN told t USING (intent) LEFT JOIN {draws} d USING (draw_key)
WHERE t.granted AND how IS NOT NULL ORDER BY i.intent
"""
EXAMINED = "SELECT count(*) FROM intents i JOIN told t USING (intent) WHERE t.granted"
DRAWS_TWICE = """
SELECT draw_key, max(amount_fen) FROM draws GROUP BY draw_key HAVING count(*) > 1 ORDER BY draw_key
"""


def acknowledged_once(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """1: acknowledged means in the ledger, once, with the same borrower and amount; draws, and
    repayments too.

    Broken by a grant that the ledger does not have as paid, has of another borrower or amount, or
    has twice. Examined are intents that were told granted, and repayments told repaid.
    """
    books = view.books
    know_what_was_told(books)
    (examined,) = books.one(EXAMINED)
    found = Offences(examined)
    question = GRANTED.format(draws=books.single("draws", "draw_key"))
    at = {"near_ns": NEAR_NS + clock_error_ns(view), "dated": ledger_is_dated(view)}
    for key, amount_fen, how in books.ask(question, at):
        found.add(amount_fen, f"{key}: granted{how}")
    for key, amount_fen in books.ask(DRAWS_TWICE) if books.doubled("draws", "draw_key") else ():
        found.add(amount_fen, f"{key}: in the ledger more than once")
    audit_repayments.acknowledged(view, found)
    return found


UNASKED = """
SELECT {columns} FROM {table} t
WHERE NOT EXISTS (SELECT 1 FROM intents i WHERE i.draw_key = t.draw_key)
    AND NOT EXISTS (SELECT 1 FROM unoffered u WHERE u.payout_key = t.draw_key)
ORDER BY ALL
"""


# The borrower and the amount of what was granted are rule 1's to compare.
ALTERED = """
SELECT d.draw_key, d.amount_fen FROM draws d JOIN intents i USING (draw_key)
LEFT JOIN told t USING (intent)
WHERE d.purpose IS DISTINCT FROM i.purpose OR (NOT coalesce(t.granted, false)
    AND (d.borrower IS DISTINCT FROM i.borrower OR d.amount_fen IS DISTINCT FROM i.amount_fen))
ORDER BY d.draw_key
"""


def nothing_unasked(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """2: nothing in the ledger or at a bank that nobody asked for, or not so.

    Broken by a draw, a payout or a repayment whose key was never planned. Examined are draws,
    payouts and repayments.
    """
    know_what_was_told(view.books)
    found = Offences(examined=len(view.draws) + len(view.payouts))
    question = UNASKED.format(table="draws", columns="draw_key, amount_fen")
    for key, amount_fen in view.books.ask(question):
        found.add(amount_fen, f"{key}: in the ledger, asked for by nobody")
    for key, amount_fen in view.books.ask(ALTERED):
        found.add(amount_fen, f"{key}: not what was asked for, or for another")
    question = UNASKED.format(table="payouts", columns="bank, payout_key, amount_fen")
    for bank, key, amount_fen in view.books.ask(question):
        found.add(amount_fen, f"{key}: paid by {bank}, unasked")
    audit_repayments.unasked(view, found)
    return found


PAID_TWICE = """
WITH twice AS (
    SELECT draw_key, list(payout_key ORDER BY bank, payout_key) AS mine FROM payouts
    WHERE draw_key IN (SELECT draw_key FROM payouts GROUP BY draw_key HAVING count(*) > 1)
    GROUP BY draw_key
)
SELECT draw_key, amount_fen, mine FROM intents JOIN twice USING (draw_key) ORDER BY intent
"""


# Of one key, and by the banks' books for several draws, each of which was paid once then.
KEY_TWICE = """
SELECT payout_key, max(amount_fen), list(draw_key ORDER BY draw_key, bank) FROM payouts
GROUP BY payout_key HAVING count(DISTINCT draw_key) > 1 ORDER BY payout_key
"""
PLANNED_TWICE = """
SELECT draw_key, max(amount_fen) FROM intents GROUP BY draw_key HAVING count(*) > 1
ORDER BY draw_key
"""


def one_payout(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """3: one intent, at most one payout, over all its tries and all banks.

    Broken by a second payout for one draw, whoever made it. Examined are intents.
    """
    found = Offences(examined=len(view.intents))
    books = view.books
    if books.doubled("intents", "draw_key"):
        for key, amount_fen in books.ask(PLANNED_TWICE):
            found.add(amount_fen, f"{key}: planned more than once")
    if books.doubled("payouts", "draw_key"):
        for key, amount_fen, mine in books.ask(PAID_TWICE):
            found.add(amount_fen, f"{key}: paid {len(mine)} times: {mine}")
    if books.doubled("payouts", "payout_key"):
        for key, amount_fen, mine in books.ask(KEY_TWICE):
            found.add(amount_fen, f"{key}: paid for several draws: {mine}")
    return found


# What rule 9 may have to say something of: told both ways, told no or over for certain and paid,
# denied once paid. The bank's moment counts for a try that the ledger says is paid.
SUSPECT = """
WITH of_interest AS (
    SELECT i.intent, i.draw_key, t.* EXCLUDE (intent) FROM told t JOIN intents i USING (intent)
    WHERE t.refused OR t.nothing OR t.voided_ns IS NOT NULL
), paid AS (
    SELECT t.draw_key, min(p.paid_ns) AS paid_ns
    FROM tries t JOIN payouts p USING (payout_key)
    WHERE t.state = 'paid' AND t.draw_key IN (SELECT draw_key FROM of_interest)
    GROUP BY t.draw_key
)
SELECT DISTINCT o.intent, p.paid_ns,
    o.draw_key IN (SELECT draw_key FROM draws WHERE state = 'paid') AS in_ledger
FROM of_interest o LEFT JOIN paid p USING (draw_key)
WHERE (o.granted AND o.refused) OR ((o.refused OR o.nothing) AND in_ledger)
    OR o.voided_ns > p.paid_ns + $error_ns OR (o.undone AND in_ledger)
"""
ANSWERS = """
SELECT count(*) FROM attempts
WHERE kind IN ('press', 'poll', 'close') AND intent IN (SELECT intent FROM intents)
"""


def answers_true(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """9: what was refused or certainly failed was not paid, and what is final never changes.

    Broken by a draw that was told no, or over for certain, and is paid, by answers for one key that
    contradict each other, and by a status that denies what had happened. Examined are answers to
    presses, polls and closes, and to repayments.
    """
    know_what_was_told(view.books)
    (examined,) = view.books.one(ANSWERS)
    found = Offences(examined)
    # What a worker on another machine has dated is not known better than its clock is.
    error_ns = clock_error_ns(view)
    rows = view.books.ask(SUSPECT, {"error_ns": error_ns})
    suspect = {intent: (paid_ns, in_ledger) for intent, paid_ns, in_ledger in rows}
    told: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in view.attempts.where(kind=DRAWING, intent=suspect):
        told[attempt.intent].append(attempt)
    for intent in view.intents.where(intent=suspect):
        paid_ns, in_ledger = suspect[intent.intent]
        mine = sorted(told[intent.intent], key=lambda a: (a.done_ns or 0, a.n))
        finals = [final for final in map(_final, mine) if final]
        key = intent.draw_key
        if len(set(finals)) > 1:
            found.add(intent.amount_fen, f"{key}: told {' then '.join(finals)}")
        if finals and finals[0] == "refused" and in_ledger:
            found.add(intent.amount_fen, f"{key}: refused for good, and paid")
        outcomes = {a.outcome for a in mine}
        if outcomes == {"failed"} and in_ledger:
            found.add(intent.amount_fen, f"{key}: failed for certain, and paid")
        elif not finals and outcomes <= {"failed", "refused"} and in_ledger:
            found.add(intent.amount_fen, f"{key}: told each time that there was no money, and paid")
        if _denied(mine, None if paid_ns is None else paid_ns + error_ns):
            found.add(intent.amount_fen, f"{key}: told voided after it was paid")
        elif in_ledger and _undone(mine):
            found.add(intent.amount_fen, f"{key}: over for certain, not pressed again, and paid")
    audit_repayments.answers(view, found)
    return found


def _denied(told: Sequence[Attempt], paid_ns: int | None) -> bool:
    """Did a question that was sent after the bank had paid say that nothing has happened?

    A bank is asked only after its try was committed, so a true status could not have been older
    than that. A press says it of itself alone: another press of the key may still be at work.
    """
    return paid_ns is not None and any(
        speaks_of_the_draw(a.kind, a.reason) and (a.sent_ns or 0) > paid_ns for a in told
    )


def _undone(told: Sequence[Attempt]) -> bool:
    """Was it told for certain, and of the draw itself, that nothing is paid, and pressed no more?

    Whoever believes that may draw under another key; a press from before, held up on its way, must
    not pay it any more.
    """
    last_ns = max((a.sent_ns or 0 for a in told if a.kind == "press"), default=0)
    return any(
        a.outcome == "failed"
        and speaks_of_the_draw(a.kind, a.reason)
        and (a.sent_ns or 0) >= last_ns
        for a in told
    )


def _final(attempt: Attempt) -> str | None:
    """granted, or refused for good (no money for the moment is not)."""
    if attempt.outcome == "granted":
        return "granted"
    if attempt.outcome == "refused" and attempt.cause != "liquidity":
        return "refused"
    return None


def resolved(view: RunView, ends: Sequence[IntentEnd]) -> Offences:
    """12: every unknown is resolved by the end of the drain.

    Broken by an intent whose end nobody knows, and by a try that is still paying. Examined are
    intents.
    """
    judged = Ends.of(ends)
    found = Offences(examined=len(judged) if view.attempts else 0)
    for key, amount_fen in judged.where(unresolved=[True]).columns("draw_key", "amount_fen"):
        found.add(amount_fen, f"{key}: still not known")
    for payout_key in view.tries.where(state="paying").column("payout_key"):
        found.add(0, f"{payout_key}: still paying")
    return found


def approved_rightly(view: RunView, ends: Sequence[IntentEnd]) -> Offences:
    """13: nothing approved that had to be refused, judged by the ledger.

    Broken by a draw that was granted or paid though it was not promised, or though a rule or a risk
    policy in force at the decision forbade it. Examined are intents.
    """
    judged = Ends.of(ends)
    found = Offences(examined=len(view.draws) and len(judged))
    wrong = judged.where(end="wrongly_approved")
    for key, amount_fen in wrong.columns("draw_key", "amount_fen"):
        found.add(amount_fen, f"{key}: approved, had to be refused")
    return found
