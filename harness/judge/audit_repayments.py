"""Rules about repayments: what borrowers gave back, against what the ledger took. Each is a part of
the rule that says the same of draws.
"""

from collections import defaultdict
from collections.abc import Collection

from harness.evidence.rows import Repayment, Version
from harness.judge.offences import Offences
from harness.judge.view import RunView

ACKNOWLEDGED = """
SELECT count(*) FROM repay_intents
WHERE intent IN (SELECT intent FROM attempts WHERE kind = 'repay' AND outcome = 'repaid')
"""
NOT_AS_TOLD = """
SELECT o.repay_key, o.amount_fen, r.repay_key IS NULL AS gone, r.state,
    (r.borrower, r.amount_fen) IS DISTINCT FROM (o.borrower, o.amount_fen) AS another,
    o.repay_key IN (SELECT repay_key FROM repayments GROUP BY repay_key HAVING count(*) > 1)
        AS again
FROM repay_intents o LEFT JOIN {repayments} r USING (repay_key)
WHERE o.intent IN (SELECT intent FROM attempts WHERE kind = 'repay' AND outcome = 'repaid')
    AND (gone OR r.state <> 'repaid' OR another OR again)
ORDER BY o.intent
"""


def acknowledged(view: RunView, found: Offences) -> None:
    """1: a repayment that was acknowledged is in the ledger, once, as it was made."""
    books = view.books
    found.examined += books.one(ACKNOWLEDGED)[0]
    question = NOT_AS_TOLD.format(repayments=books.single("repayments", "repay_key"))
    for key, amount_fen, gone, state, another, _again in books.ask(question):
        if gone:
            found.add(amount_fen, f"{key}: repaid, not in the ledger")
        elif state != "repaid":
            found.add(amount_fen, f"{key}: repaid, {state} in the ledger")
        elif another:
            found.add(amount_fen, f"{key}: repaid by another borrower or amount")
        else:
            found.add(amount_fen, f"{key}: repaid in the ledger more than once")


UNASKED = """
SELECT r.repay_key, r.amount_fen, coalesce(c.repay_key, o.repay_key) IS NULL AS by_nobody
FROM repayments r
LEFT JOIN {repay_intents} o ON o.repay_key = r.repay_key
LEFT JOIN {collections} c ON c.repay_key = r.repay_key
WHERE r.state = 'repaid' AND (by_nobody OR (r.borrower, r.amount_fen) IS DISTINCT FROM
    (coalesce(c.borrower, o.borrower), coalesce(c.amount_fen, o.amount_fen)))
ORDER BY r.repay_key, r.borrower, r.amount_fen
"""


def unasked(view: RunView, found: Offences) -> None:
    """2: nobody's debt was paid but by whom it was planned, with what they give; or as the lender's
    console wrote down that it would be.

    A refused one took nothing: the nemesis asks for one that must be, to see that writes are taken.
    """
    books = view.books
    found.examined += len(view.repayments.where(state="repaid"))
    question = UNASKED.format(
        repay_intents=books.single("repay_intents", "repay_key"),
        collections=books.single("collections", "repay_key"),
    )
    for key, amount_fen, by_nobody in books.ask(question):
        other = "not what was given back, or for another"
        found.add(amount_fen, f"{key}: {'repaid in the ledger, by nobody' if by_nobody else other}")


MOVED = """
WITH moved AS (
    SELECT draw_key, account, count(*) AS times, max(locked_ns) AS locked_ns FROM versions
    WHERE event = 'repay' GROUP BY draw_key, account
), keys AS (
    SELECT draw_key, sum(times)::BIGINT AS times FROM moved GROUP BY draw_key
)
SELECT r.repay_key, r.state, r.amount_fen, coalesce(k.times, 0) AS all_times,
    (r.state = 'repaid')::INT AS due, m.times IS DISTINCT FROM due OR all_times <> due AS miscounted
FROM repayments r
LEFT JOIN moved m ON m.draw_key = r.repay_key AND m.account = 'borrower:' || r.borrower
LEFT JOIN keys k ON k.draw_key = r.repay_key
WHERE coalesce(m.times, 0) <> due OR all_times <> due OR m.locked_ns <> r.ended_ns
ORDER BY r.repay_key, r.borrower, r.amount_fen
"""


def moved_once(view: RunView, found: Offences) -> None:
    """4: a repayment has moved its borrower's quota exactly once, a refused one never."""
    for key, state, amount_fen, times, _, miscounted in view.books.ask(MOVED):
        how = f"moved quota {times} x" if miscounted else "moved quota at another time"
        found.add(amount_fen, f"{key}: {state}, {how}")


ANSWERED = """
SELECT count(*) FROM attempts
WHERE kind = 'repay' AND intent IN (SELECT intent FROM repay_intents)
"""
UNTRUE = """
WITH told AS (
    SELECT intent, bool_or(outcome = 'repaid') AS repaid, bool_or(outcome = 'refused') AS refused,
        bool_and(outcome = 'failed') AS failed
    FROM attempts WHERE kind = 'repay' GROUP BY intent HAVING refused OR failed
)
SELECT o.repay_key, o.amount_fen, t.repaid, t.refused
FROM repay_intents o JOIN told t USING (intent)
WHERE (t.repaid AND t.refused)
    OR o.repay_key IN (SELECT repay_key FROM repayments WHERE state = 'repaid')
ORDER BY o.intent
"""


def answers(view: RunView, found: Offences) -> None:
    """9: what was refused or certainly failed was not taken, and what is final never changes; only
    what exceeds the debt is refused."""
    found.examined += view.books.one(ANSWERED)[0]
    for key, amount_fen, was_repaid, was_refused in view.books.ask(UNTRUE):
        if was_repaid:
            found.add(amount_fen, f"{key}: told repaid and refused")
        elif was_refused:
            found.add(amount_fen, f"{key}: refused for good, and repaid")
        else:
            found.add(amount_fen, f"{key}: failed for certain, and repaid")
    refused = view.repayments.where(state="refused")
    owing = _versions(view, set(refused.column("borrower")))
    for row in refused:
        if row.amount_fen <= _owed_fen(owing[row.borrower], row):
            found.add(row.amount_fen, f"{row.repay_key}: refused although as much was owed")


def _owed_fen(versions: list[Version], row: Repayment) -> int:
    """What the borrower owed when the ledger refused the repayment."""
    before = [v.outstanding_fen or 0 for v in versions if v.locked_ns <= row.ended_ns]
    return before[-1] if before else 0


def _versions(view: RunView, borrowers: Collection[int]) -> dict[int, list[Version]]:
    """Of the accounts of these borrowers, in order."""
    found: dict[int, list[Version]] = defaultdict(list)
    mine = view.versions.where(account=[f"borrower:{one}" for one in borrowers])
    for version in sorted(mine, key=lambda version: version.version):
        found[int(version.account.partition(":")[2])].append(version)
    return found
