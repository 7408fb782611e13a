"""Part of rule 6: what accounts came to is the sum of their postings, and no account is unknown."""

from collections.abc import Mapping

from harness.judge.offences import Offences
from harness.judge.view import RunView

# What the ledger keeps no versions of: what the tiers' banks owe one another, and what was repaid.
OUTSIDE = "starts_with(account, 'settlement:') OR starts_with(account, 'collections:')"

# By numbers made of the names first, which is quick; then, if there is anything, by the names. An
# account that has postings and is nobody's takes the place of one that should have had them.
OFF = f"""
WITH sums AS (
    SELECT {{nr}}(account) AS nr, sum(amount_fen)::BIGINT AS fen FROM postings
    WHERE NOT ({OUTSIDE}) GROUP BY ALL
), sides AS (
    SELECT account, 0 AS place, 'held' AS side, held_fen AS fen FROM last_versions
    UNION ALL SELECT account, 1, 'outstanding', outstanding_fen FROM last_versions
    UNION ALL SELECT account, 2, 'available', balance_fen FROM last_versions
    UNION ALL SELECT account, 3, 'drawn', outstanding_fen FROM last_versions
    UNION ALL SELECT account, 4, 'available', -held_fen - outstanding_fen FROM last_versions
)
SELECT coalesce(l.account || ':' || l.side, s.nr::VARCHAR) AS name,
    coalesce(s.fen, 0) - coalesce(l.fen, 0) AS off_fen, l.account IS NULL AS unknown
FROM (SELECT * FROM sides WHERE fen IS NOT NULL) l
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


def accounts(view: RunView, found: Offences) -> Mapping[str, int]:
    """Look at all of them; the sums of those without versions, fen by name. `last_versions` must
    be known."""
    books = view.books
    off = books.ask(OFF.format(nr="hash"))
    for name, off_fen, unknown in books.ask(OFF.format(nr="")) if off else ():
        of_nobody = f"{off_fen} fen in an account that is nobody's"
        found.add(off_fen, f"{name}: {of_nobody if unknown else f'{off_fen} fen off its postings'}")
    outside: dict[str, int] = dict(books.ask(SUMS))
    owed = dict(books.ask(OWED))
    for tier, owed_fen in owed.items():
        # What a tier's bank has paid for the tier `own` is owed to it.
        off_fen = outside.get(f"settlement:{tier}:receivable", 0) - owed_fen
        if off_fen:
            found.add(off_fen, f"settlement:{tier}: {off_fen} fen off what was paid for own")
    known = {"settlement:own:payable", "collections:principal"}
    known |= {f"settlement:{tier}:receivable" for tier in owed}
    off_fen = outside.get("settlement:own:payable", 0) + sum(owed.values())
    if off_fen:
        found.add(off_fen, f"settlement:own: {off_fen} fen off what others paid for own")
    for name in sorted({*outside} - known):
        if outside[name]:
            found.add(outside[name], f"{name}: {outside[name]} fen in an account that is nobody's")
    return outside
