"""Two-sided truth: what the borrower was told of each draw, against what the books say of it.

Every scheduled intent is in exactly one cell. Some cells are wrong whatever happened on the way;
the rest of the lie is in the audit's rules, which look at each answer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.evidence.columnar import Rows
from harness.evidence.rows import DRAWING, Attempt, Version
from harness.judge.view import RunView

TOLD = ("granted", "refused", "failed", "unknown", "nothing")
BOOKS = ("paid_once", "paid_twice", "not_paid", "orphan_hold", "no_row")
NEEDED = frozenset({"attempts", "draws", "tries", "versions", "payouts"})
# What is wrong with a cell; those without a word are as they may be.
WRONG: Mapping[tuple[str, str], str] = {
    ("granted", "not_paid"): "told granted, not paid",
    ("granted", "no_row"): "told granted, but no row",
    ("refused", "paid_once"): "told refused, but money moved",
    ("failed", "paid_once"): "told failed, but money moved",
    ("nothing", "paid_once"): "never asked, but money moved",
    **{(told, "paid_twice"): "paid twice" for told in TOLD},
    **{(told, "orphan_hold"): "orphan hold" for told in TOLD},
}


@dataclass(frozen=True, slots=True)
class Cell:
    """told: one of TOLD; books: one of BOOKS. wrong: what is, or empty. first: the key of the first
    draw in it, or None."""

    told: str
    books: str
    draws: int
    amount_fen: int
    wrong: str
    first: str | None


@dataclass(frozen=True, slots=True)
class Truth:
    """All cells, row by row of TOLD, in the order of BOOKS."""

    cells: tuple[Cell, ...]

    @property
    def wrong(self) -> tuple[Cell, ...]:
        """Cells that are wrong and not empty."""
        return tuple(cell for cell in self.cells if cell.wrong and cell.draws)

    @property
    def untrue(self) -> int:
        """Draws of which the borrower's and the books' view can't both be right, or whose books are
        wrong by themselves. Over all scheduled intents. Null when a table of either is missing."""
        return sum(cell.draws for cell in self.wrong)


def truth(view: RunView) -> Truth | None:
    """What the borrower was told, by what the books say: each draw in exactly one cell.

    Over all scheduled draws. Null when attempts or books are not all there, for then a cell would
    accuse. Told: granted once granted; else the last word that was heard, where a press that failed for
    certain speaks of itself alone and leaves an earlier one unknown. Books: paid is what the
    ledger's tries or the banks' books say, whichever has more; an orphan hold is money still held
    after the drain.
    """
    if NEEDED & {*view.missing, *view.cut}:
        return None
    told = told_of(view.attempts)
    rows = {draw.draw_key for draw in view.draws}
    paid = _times_paid(view)
    held = held_keys(view.versions) | {t.draw_key for t in view.tries if t.state == "paying"}
    draws: Counter[tuple[str, str]] = Counter()
    fen: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for intent, key, amount_fen in view.intents.columns("intent", "draw_key", "amount_fen"):
        times = paid.get(key, 0)
        if times > 1:
            books = "paid_twice"
        elif key in held:
            books = "orphan_hold"
        elif times:
            books = "paid_once"
        else:
            books = "not_paid" if key in rows else "no_row"
        where = told.get(intent, "nothing"), books
        draws[where] += 1
        fen[where] += amount_fen
        first.setdefault(where, key)
    return Truth(
        tuple(
            Cell(*where, draws[where], fen[where], WRONG.get(where, ""), first.get(where))
            for where in ((told, books) for told in TOLD for books in BOOKS)
        )
    )


def told_of(attempts: Rows[Attempt]) -> Mapping[int, str]:
    """What the borrower of each intent was left with; who was told nothing is left out."""
    left: dict[int, str] = {}
    drawing = attempts.where(kind=DRAWING)
    for intent, kind, outcome, reason in drawing.columns("intent", "kind", "outcome", "reason"):
        before = left.get(intent)
        if outcome == "dropped" or before == "granted":
            continue
        # A press that failed says so of itself alone, and a poll that failed says nothing.
        of_itself = kind == "press" and before != "unknown"
        if outcome != "failed" or of_itself or (kind == "poll" and reason == "voided"):
            left[intent] = outcome
    return left


def _times_paid(view: RunView) -> Mapping[str, int]:
    """How often each draw was paid out, by its key."""
    ledger = Counter(one.draw_key for one in view.tries if one.state == "paid")
    banks = Counter(one.draw_key for one in view.payouts)
    return ledger | banks


def held_keys(versions: Iterable[Version]) -> set[str]:
    """Draws that borrowers' money is still held for by the last version of their accounts."""
    last: dict[str, Version] = {}
    for one in versions:
        if one.account.startswith("borrower:"):
            known = last.get(one.account)
            if known is None or known.version < one.version:
                last[one.account] = one
    holding = {account for account, one in last.items() if one.held_fen}
    if not holding:
        return set()
    open_tries: Counter[tuple[str, int]] = Counter()
    for one in versions:
        if one.account in holding and one.event in ("reserve", "post", "void"):
            open_tries[one.draw_key, one.try_] += 1 if one.event == "reserve" else -1
    return {key for (key, _), left in open_tries.items() if left > 0}
