"""Runs in which some borrowers give back what they had drawn."""

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Attempt, Intent, Posting, RepayIntent, Repayment, Version
from harness.judge.view import RunView
from tests.run_views import LIMIT_FEN, changed, clean

EVERY = 10


def repaid() -> RunView:
    """A clean run; every tenth borrower repays two seconds after the draw was due, all or half of
    it, and is told so after 20 ms."""
    view = clean()
    parts = [_repayment(intent) for intent in view.intents[::EVERY]]
    return changed(
        view,
        repay_intents=tuple(owed for owed, _, _, _, _ in parts),
        attempts=(*view.attempts, *(attempt for _, attempt, _, _, _ in parts)),
        repayments=tuple(row for _, _, row, _, _ in parts),
        versions=(*view.versions, *(version for _, _, _, version, _ in parts)),
        postings=(*view.postings, *(p for _, _, _, _, postings in parts for p in postings)),
    )


def _repayment(
    intent: Intent,
) -> tuple[RepayIntent, Attempt, Repayment, Version, list[Posting]]:
    due_ns = intent.due_ns + 2 * NS_PER_S
    key, locked_ns, done_ns = (
        f"back-{intent.intent:06d}",
        due_ns + 10 * NS_PER_MS,
        due_ns + 20 * NS_PER_MS,
    )
    amount_fen = intent.amount_fen if intent.intent % 20 else intent.amount_fen // 2
    account = f"borrower:{intent.borrower}"
    pairs = ((f"{account}:outstanding", "collections:principal"),
             (f"{account}:drawn", f"{account}:available"))  # fmt: skip
    return (
        RepayIntent(intent.intent, key, intent.borrower, amount_fen, due_ns),
        Attempt(intent.intent, "repay", 1, due_ns, due_ns + 1000, done_ns, done_ns, 201, "repaid",
                None, None, None, "gateway-1", "worker-1"),
        Repayment(key, intent.borrower, amount_fen, "repaid", locked_ns),
        Version(account, 3, LIMIT_FEN, intent.amount_fen - amount_fen, 0, None, locked_ns, key, 0,
                "repay"),
        [
            Posting(key, 0, "repay", name, sign * amount_fen, locked_ns)
            for pair in pairs
            for name, sign in zip(pair, (-1, 1), strict=True)
        ],
    )  # fmt: skip
