"""Rules about what is left: ledger and banks agree, nothing is held, nothing was forgotten."""

from collections.abc import Sequence
from itertools import pairwise

from harness.evidence.rows import State
from harness.judge import audit_dates
from harness.judge.audit_books import know_last_versions
from harness.judge.ends import IntentEnd
from harness.judge.offences import Offences
from harness.judge.told import know_what_was_told
from harness.judge.view import RunView

# Each try beside what its bank has paid for it; then payouts that no try is known of, or whose key
# their bank had closed.
TRIES = """
SELECT t.payout_key, t.state, coalesce(d.amount_fen, 0) AS due_fen, p.payout_key IS NULL AS unpaid,
    p.amount_fen, p.amount_fen = due_fen AND p.bank = b.bank AS of_another
FROM tries t
LEFT JOIN {draws} d USING (draw_key)
LEFT JOIN {payouts} p USING (payout_key)
LEFT JOIN {tiers} b ON b.tier = t.tier
WHERE CASE WHEN t.state = 'paid'
    THEN p.payout_key IS NULL OR p.amount_fen <> due_fen
        OR p.bank IS DISTINCT FROM b.bank OR p.draw_key IS DISTINCT FROM t.draw_key
    ELSE p.payout_key IS NOT NULL AND t.state <> 'paying' END
ORDER BY t.draw_key, t."try", t.tier, t.payout_key
"""
PAYOUTS = """
SELECT payout_key, amount_fen,
    NOT EXISTS (SELECT 1 FROM tries t WHERE t.payout_key = p.payout_key) AS unknown,
    EXISTS (SELECT 1 FROM tombstones t WHERE t.payout_key = p.payout_key) AS closed
FROM payouts p WHERE unknown OR closed ORDER BY bank, payout_key, draw_key, amount_fen, paid_ns
"""


def books_agree(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """7: each paid try is in its bank's book, once, with its amount and while it was open; and
    nothing else is.

    Broken by a payment that only one of the two books has, by another bank, draw or amount, and by
    a payout of a key that was closed. Examined are tries and payouts.
    """
    books = view.books
    found = Offences(examined=len(view.tries) + len(view.payouts))
    question = TRIES.format(
        draws=books.single("draws", "draw_key"),
        payouts=books.single("payouts", "payout_key"),
        tiers=books.single("tiers", "tier"),
    )
    for key, state, due_fen, unpaid, paid_fen, of_another in books.ask(question):
        if state != "paid":  # still paying: rules 8 and 12
            found.add(paid_fen, f"{key}: {state}, paid by the bank")
        elif unpaid:
            found.add(due_fen, f"{key}: paid in the ledger, not by the bank")
        elif of_another:
            found.add(due_fen, f"{key}: paid for another draw, by the bank's book")
        else:
            found.add(due_fen, f"{key}: another bank or amount")
    for key, amount_fen, unknown, closed in books.ask(PAYOUTS):
        if unknown:
            found.add(amount_fen, f"{key}: paid, unknown to the ledger")
        if closed:
            found.add(amount_fen, f"{key}: closed for ever, and paid")
    audit_dates.tries_once(view, found)
    audit_dates.paid_meanwhile(view, found)
    return found


OF_MONEY = "account LIKE 'borrower:%' OR account LIKE 'tier:%'"
HELD = f"""
SELECT account, held_fen FROM last_versions WHERE held_fen <> 0 AND ({OF_MONEY}) ORDER BY account
"""


def no_hold_left(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """8: no money is held after the drain.

    Broken by an account whose last version holds some. Examined are accounts of borrowers and
    tiers.
    """
    know_last_versions(view.books)
    (examined,) = view.books.one(f"SELECT count(*) FROM last_versions WHERE {OF_MONEY}")
    found = Offences(examined)
    for account, left_fen in view.books.ask(HELD):
        found.add(left_fen, f"{account}: {left_fen} fen still held")
    return found


GRANTED_BEFORE = """
SELECT i.draw_key, i.amount_fen, NOT EXISTS (
    SELECT 1 FROM draws d WHERE d.draw_key = i.draw_key AND d.state = 'paid') AS lost
FROM intents i JOIN told USING (intent)
WHERE granted_ns <= $last_ns ORDER BY intent
"""


def survives_failover(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """10: every draw acknowledged before a change of the primary is in the ledger after it, and a
    server that is no longer the primary answers nothing.

    Broken by a copy that lacks what was acknowledged, and by an old primary that was not fenced.
    Examined are acknowledgements, and calls to databases; without a change of the primary there is
    nothing to examine.
    """
    found = Offences()
    _check_fenced(view, found)
    changes = [state.at_ns for state in view.states if is_failover(state)]
    if not changes:
        return found
    know_what_was_told(view.books)
    for key, amount_fen, lost in view.books.ask(GRANTED_BEFORE, {"last_ns": max(changes)}):
        found.examined += 1
        if lost:
            found.add(amount_fen, f"{key}: acknowledged, lost by failover")
    return found


DATABASE_CALLS = """
SELECT count(*) FROM calls WHERE edge = 'ledger->database' AND result = 'ok'
"""
# Answered by another than who had last become the primary when they began.
OTHERS = """
SELECT client, server, start_ns, done_ns FROM calls
WHERE edge = 'ledger->database' AND result = 'ok'
    AND start_ns >= $from_ns AND start_ns < $until_ns AND server <> $primary
ORDER BY draw_key, start_ns, side, edge, server, done_ns, client
"""
EVER_NS = 2**63 - 1


def _check_fenced(view: RunView, found: Offences) -> None:
    """No call begun after another server became the primary was answered by the old one."""
    (found.examined,) = view.books.one(DATABASE_CALLS)
    promoted = sorted(
        (state.at_ns, state.state.split()[1]) for state in view.states if is_failover(state)
    )
    for (from_ns, primary), (until_ns, _) in pairwise([*promoted, (EVER_NS, "")]):
        at = {"from_ns": from_ns, "until_ns": until_ns, "primary": primary}
        for client, server, start_ns, done_ns in view.books.ask(OTHERS, at):
            # A call that began while there was none waits for the next, so its server may have
            # become the primary at any time until the answer.
            rightful = [name for at_ns, name in promoted if start_ns < at_ns <= (done_ns or at_ns)]
            if server not in rightful:
                found.add(0, f"{server}: answered {client} although {primary} was the primary")


def is_failover(state: State) -> bool:
    """Did another server become the primary, or the old one start again?"""
    return (
        state.kind == "database"
        and state.subject == "primary"
        and state.state.startswith(("promoted", "restarted"))
    )
