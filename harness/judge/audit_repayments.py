"""Rules about repayments: what borrowers gave back, against what the ledger took. Each is a part of
the rule that says the same of draws.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from harness.evidence.rows import Attempt, RepayIntent, Repayment, Version
from harness.evidence.rows import Collection as Collected
from harness.judge.offences import Offences
from harness.judge.view import RunView

PRINCIPAL = "collections:principal"


def acknowledged(view: RunView, found: Offences) -> None:
    """1: a repayment that was acknowledged is in the ledger, once, as it was made."""
    known = {row.repay_key: row for row in view.repayments}
    times = Counter(row.repay_key for row in view.repayments)
    for owed, told in _told(view):
        if not any(attempt.outcome == "repaid" for attempt in told):
            continue
        found.examined += 1
        key, row = owed.repay_key, known.get(owed.repay_key)
        if row is None:
            found.add(owed.amount_fen, f"{key}: repaid, not in the ledger")
        elif row.state != "repaid":
            found.add(owed.amount_fen, f"{key}: repaid, {row.state} in the ledger")
        elif not _same(owed, row):
            found.add(owed.amount_fen, f"{key}: repaid by another borrower or amount")
        elif times[key] > 1:
            found.add(owed.amount_fen, f"{key}: repaid in the ledger more than once")


def unasked(view: RunView, found: Offences) -> None:
    """2: nobody's debt was paid but by whom it was planned, with what they give; or as the lender's
    console wrote down that it would be.

    A refused one took nothing: the nemesis asks for one that must be, to see that writes are taken.
    """
    planned: dict[str, RepayIntent | Collected] = {
        **{owed.repay_key: owed for owed in view.repay_intents},
        **{asked.repay_key: asked for asked in view.collections},
    }
    for row in view.repayments:
        if row.state != "repaid":
            continue
        found.examined += 1
        owed = planned.get(row.repay_key)
        if owed is None:
            found.add(row.amount_fen, f"{row.repay_key}: repaid in the ledger, by nobody")
        elif not _same(owed, row):
            found.add(row.amount_fen, f"{row.repay_key}: not what was given back, or for another")


def moved_once(view: RunView, found: Offences) -> None:
    """4: a repayment has moved its borrower's quota exactly once, a refused one never."""
    moves = view.versions.where(event="repay")
    moved = Counter(moves.columns("account", "draw_key"))
    keys = Counter[str]()
    for (_, key), times in moved.items():
        keys[key] += times
    for row in view.repayments:
        due = 1 if row.state == "repaid" else 0
        times = moved[f"borrower:{row.borrower}", row.repay_key]
        if times != due or keys[row.repay_key] != due:
            found.add(
                row.amount_fen, f"{row.repay_key}: {row.state}, moved quota {keys[row.repay_key]} x"
            )


def collected(view: RunView, sums: Mapping[str, int], found: Offences) -> None:
    """6: what was collected is what was repaid."""
    repaid_fen = sum(view.repayments.where(state="repaid").column("amount_fen"))
    off_fen = sums.get(PRINCIPAL, 0) - repaid_fen
    if off_fen:
        found.add(off_fen, f"{PRINCIPAL}: {off_fen} fen off what was repaid")


def answers(view: RunView, found: Offences) -> None:
    """9: what was refused or certainly failed was not taken, and what is final never changes; only
    what exceeds the debt is refused."""
    repaid = {row.repay_key for row in view.repayments if row.state == "repaid"}
    for owed, told in _told(view):
        key, amount_fen = owed.repay_key, owed.amount_fen
        found.examined += len(told)
        outcomes = {attempt.outcome for attempt in told}
        if {"repaid", "refused"} <= outcomes:
            found.add(amount_fen, f"{key}: told repaid and refused")
        elif "refused" in outcomes and key in repaid:
            found.add(amount_fen, f"{key}: refused for good, and repaid")
        if outcomes == {"failed"} and key in repaid:
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


def _told(view: RunView) -> list[tuple[RepayIntent, list[Attempt]]]:
    """Each planned repayment that was asked for, with what was answered."""
    told: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in view.attempts.where(kind="repay"):
        told[attempt.intent].append(attempt)
    return [(owed, told[owed.intent]) for owed in view.repay_intents if owed.intent in told]


def _same(owed: RepayIntent | Collected, row: Repayment) -> bool:
    return (owed.borrower, owed.amount_fen) == (row.borrower, row.amount_fen)
