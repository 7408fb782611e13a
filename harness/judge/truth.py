"""Two-sided truth: what the borrower was told of each draw, against what the books say of it.

Every scheduled intent is in exactly one cell. Some cells are wrong whatever happened on the way;
the rest of the lie is in the audit's rules, which look at each answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.evidence.columnar import Columns
from harness.evidence.derived import arrow_table
from harness.judge.audit_books import know_last_versions
from harness.judge.told import know_what_was_told, speaks_of_the_draw
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


# What is not told of in the order of its attempts: a grant is never taken back.
NOT_GRANTED = """
SELECT intent, kind, outcome, reason FROM attempts
WHERE kind IN ('press', 'poll', 'close') AND intent IN (SELECT intent FROM told WHERE NOT granted)
ORDER BY intent, done_ns NULLS LAST, kind, n
"""
# Accounts of borrowers that something is still held of, and whose holds those are.
HOLDING = """
SELECT account FROM last_versions WHERE starts_with(account, 'borrower:') AND held_fen <> 0
"""
HELD = """
SELECT draw_key FROM versions
WHERE list_contains($accounts::VARCHAR[], account) AND event IN ('reserve', 'post', 'void')
GROUP BY draw_key, "try"
HAVING count(*) FILTER (event = 'reserve') > count(*) FILTER (event <> 'reserve')
UNION SELECT draw_key FROM tries WHERE state = 'paying'
"""
# Draws are found by 64-bit numbers made of their keys, as in by_whom.py.
MATRIX = """
WITH paid AS (
    SELECT nr, greatest(count(*) FILTER (by_ledger), count(*) FILTER (NOT by_ledger)) AS times
    FROM (
        SELECT hash(draw_key) AS nr, true AS by_ledger FROM tries WHERE state = 'paid'
        UNION ALL SELECT hash(draw_key) AS nr, false FROM payouts
    ) GROUP BY nr
), views AS (
    SELECT i.draw_key, i.amount_fen, i.intent,
        CASE WHEN t.granted THEN 'granted' ELSE coalesce(w.word, 'nothing') END AS word,
        CASE WHEN p.times > 1 THEN 'paid_twice' WHEN h.draw_key IS NOT NULL THEN 'orphan_hold'
        WHEN p.times = 1 THEN 'paid_once' WHEN d.draw_key IS NOT NULL THEN 'not_paid'
        ELSE 'no_row' END AS books
    FROM intents i LEFT JOIN told t USING (intent) LEFT JOIN last_words w USING (intent)
    LEFT JOIN paid p ON p.nr = hash(i.draw_key) LEFT JOIN holds h USING (draw_key)
    LEFT JOIN (SELECT hash(draw_key) AS nr, draw_key FROM {draws}) d ON d.nr = hash(i.draw_key)
)
SELECT word, books, count(*), sum(amount_fen)::BIGINT, arg_min(draw_key, (intent, draw_key))
FROM views GROUP BY word, books
"""


def truth(view: RunView) -> Truth | None:
    """What the borrower was told, by what the books say: each draw in exactly one cell.

    Over all scheduled draws. Null when attempts or books are not all there, for then a cell would
    accuse. Told: granted once granted; else the last word that was heard, where a press that failed
    for certain speaks of itself alone and leaves an earlier one unknown. Books: paid is what the
    ledger's tries or the banks' books say, whichever has more; an orphan hold is money still held
    after the drain.
    """
    if NEEDED & {*view.missing, *view.cut}:
        return None
    books = view.books
    know_what_was_told(books)
    know_last_versions(books)
    words = [*told_of(books.ask(NOT_GRANTED)).items()]
    holding = [account for (account,) in books.ask(HOLDING)]
    held = books.table(HELD, {"accounts": holding})
    found = books.ask(
        MATRIX.format(draws=books.single("draws", "draw_key")),
        last_words=Columns[object](arrow_table(words, {"intent": "int64", "word": "string"})),
        holds=Columns[object](held),
    )
    cells = {(row[0], row[1]): row[2:] for row in found}
    return Truth(
        tuple(
            _cell(where, *cells.get(where, (0, 0, None)))
            for where in ((told_one, one) for told_one in TOLD for one in BOOKS)
        )
    )


def _cell(where: tuple[str, str], draws: int, amount_fen: int, first: str | None) -> Cell:
    return Cell(*where, draws, amount_fen, WRONG.get(where, ""), first)


def told_of(answers: Iterable[Sequence[Any]]) -> Mapping[int, str]:
    """What the borrower of each intent was left with after (intent, kind, outcome, reason), one
    after the other; who was told nothing is left out."""
    left: dict[int, str] = {}
    for intent, kind, outcome, reason in answers:
        before = left.get(intent)
        if outcome == "dropped" or before == "granted":
            continue
        # A press that failed says so of itself alone, and a poll that failed says nothing, unless
        # it speaks of the draw.
        of_itself = kind == "press" and before != "unknown"
        if outcome != "failed" or of_itself or speaks_of_the_draw(kind, reason):
            left[intent] = outcome
    return left
