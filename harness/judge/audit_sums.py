"""Part of rule 6: what accounts came to is the sum of their postings, and no account is unknown."""

from collections.abc import Mapping

from harness.evidence.query import Books
from harness.judge.offences import Offences
from harness.judge.view import RunView

# What the ledger keeps no versions of: what the tiers' banks owe one another, and what was repaid.
PRINCIPAL, PAYABLE = "collections:principal", "settlement:own:payable"
OF_TIER = "what was paid for own"
WHAT = {PRINCIPAL: "what was repaid", PAYABLE: "what others paid for own"}
OUTSIDE = "starts_with(account, 'settlement:') OR starts_with(account, 'collections:')"

# What each account came to, by the sides of it that postings name.
SIDES = """
SELECT account, 0 AS place, 'held' AS side, held_fen AS fen FROM last_versions
UNION ALL SELECT account, 1, 'outstanding', outstanding_fen FROM last_versions
UNION ALL SELECT account, 2, 'available', balance_fen FROM last_versions
UNION ALL SELECT account, 3, 'drawn', outstanding_fen FROM last_versions
UNION ALL SELECT account, 4, 'available', -held_fen - outstanding_fen FROM last_versions
"""
# Each amount times a number made of its account's name, over all postings and over what accounts
# came to: where any account is off, the sums differ, but for one chance in 10^14.
WEIGHT = "(hash({}) >> 16)::HUGEINT"
ALL = f"""
SELECT (SELECT coalesce(sum(amount_fen * {WEIGHT.format("account")}), 0) FROM postings)
    = (SELECT coalesce(sum(fen * {WEIGHT.format("account || ':' || side")}), 0) FROM ({SIDES}))
    + (SELECT coalesce(sum(fen * {WEIGHT.format("name")}), 0)
        FROM (SELECT unnest($names::VARCHAR[]) AS name, unnest($fens::BIGINT[]) AS fen))
"""
# By numbers made of the names first, which is quick; then, if there is anything, by the names. An
# account that has postings and is nobody's takes the place of one that should have had them.
OFF = f"""
WITH sums AS (
    SELECT {{nr}}(account) AS nr, sum(amount_fen)::BIGINT AS fen FROM postings
    WHERE NOT ({OUTSIDE}) GROUP BY ALL
)
SELECT coalesce(l.account || ':' || l.side, s.nr::VARCHAR) AS name,
    coalesce(s.fen, 0) - coalesce(l.fen, 0) AS off_fen, l.account IS NULL AS unknown
FROM (SELECT * FROM ({SIDES}) WHERE fen IS NOT NULL) l
FULL JOIN sums s ON s.nr = {{nr}}(l.account || ':' || l.side)
WHERE off_fen <> 0 ORDER BY l.account NULLS LAST, l.place, name
"""
OWED = """
SELECT tier, sum(own_fen)::BIGINT FROM tries WHERE state = 'paid'
GROUP BY tier ORDER BY min(draw_key), tier
"""
SUMS = f"""
SELECT account, sum(amount_fen)::BIGINT FROM postings WHERE {OUTSIDE} GROUP BY account
"""


def accounts(view: RunView, found: Offences) -> None:
    """Look at all of them, with those that have no versions: what tiers' banks owe one another, and
    what was collected, which is what was repaid. `last_versions` must be known."""
    books = view.books
    due = _due(view)
    if not _all_as_due(books, due):
        off = books.ask(OFF.format(nr="hash"))
        for name, off_fen, unknown in books.ask(OFF.format(nr="")) if off else ():
            of_nobody = f"{off_fen} fen in an account that is nobody's"
            text = of_nobody if unknown else f"{off_fen} fen off its postings"
            found.add(off_fen, f"{name}: {text}")
        _find_outside(books, due, found)


def _due(view: RunView) -> dict[str, int]:
    """What accounts without versions should have come to, fen: what a tier's bank has paid for the
    tier `own` is owed to it, and so on."""
    owed = dict(view.books.ask(OWED))
    repaid = view.repayments.where(state="repaid") if view.postings else ()
    repaid_fen = sum(row.amount_fen for row in repaid)
    due = {f"settlement:{tier}:receivable": owed_fen for tier, owed_fen in owed.items()}
    return {**due, PAYABLE: -sum(owed.values()), PRINCIPAL: repaid_fen}


def _all_as_due(books: Books, due: Mapping[str, int]) -> bool:
    try:
        return bool(books.one(ALL, {"names": [*due], "fens": [*due.values()]})[0])
    except OSError:  # amounts that no lender has, which are too large to be summed up so
        return False


def _find_outside(books: Books, due: Mapping[str, int], found: Offences) -> None:
    """What of these accounts is off, and what is there that should not be."""
    outside: dict[str, int] = dict(books.ask(SUMS))
    for name, due_fen in due.items():
        off_fen = outside.get(name, 0) - due_fen
        if off_fen:
            short = name if name == PRINCIPAL else name.rpartition(":")[0]
            found.add(off_fen, f"{short}: {off_fen} fen off {WHAT.get(name, OF_TIER)}")
    for name in sorted({*outside} - due.keys()):
        if outside[name]:
            found.add(outside[name], f"{name}: {outside[name]} fen in an account that is nobody's")
