"""A quick look at all versions of accounts: does each follow from the one before it?

Says only whether there is anything to be looked for; who then looks for it asks the questions of
audit_books.py, which are slower and name what they find. Versions and keys are found by 64-bit
numbers made of their names: two that share one may raise a false alarm, and nothing else.

Where each version has the one before it beside it, or is the first, and there are as many as the
last numbers of all accounts say together, none is missing and none there twice.
"""

from collections.abc import Sequence
from typing import Any

from harness.judge.clocks import ledger_is_dated
from harness.judge.view import RunView

QUOTA = """
WITH amounts AS (
    SELECT hash(draw_key, false) AS nr, amount_fen FROM {draws}
    UNION ALL SELECT hash(repay_key, true), amount_fen FROM {repayments} WHERE state = 'repaid'
), moved AS MATERIALIZED (
    SELECT hash(v.account, v.version) AS nr, hash(v.account, v.version - 1) AS before_nr,
        TRY_CAST(substr(v.account, 10) AS BIGINT) AS borrower, v.version, v.locked_ns, v.limit_fen,
        v.held_fen, v.outstanding_fen, coalesce(a.amount_fen, 0) AS fen,
        CASE v.event WHEN 'repay' THEN 0 WHEN 'reserve' THEN fen ELSE -fen END AS held_due,
        CASE v.event WHEN 'repay' THEN -fen WHEN 'post' THEN fen ELSE 0 END AS owed_due
    FROM versions v LEFT JOIN amounts a ON a.nr = hash(v.draw_key, v.event = 'repay')
    WHERE v.account LIKE 'borrower:%'
)
SELECT count(*) FILTER (v.borrower IS NULL
    OR v.version IS DISTINCT FROM coalesce(b.version, 0) + 1
    OR ($dated AND v.locked_ns < b.locked_ns)
    OR v.held_fen IS DISTINCT FROM coalesce(b.held_fen, 0) + v.held_due
    OR v.outstanding_fen IS DISTINCT FROM coalesce(b.outstanding_fen, 0) + v.owed_due
    OR v.held_fen < 0 OR v.outstanding_fen < 0
    OR v.limit_fen IS DISTINCT FROM coalesce(p.limit_fen, 0)
    OR v.held_fen + v.outstanding_fen > coalesce(p.limit_fen, 0))
FROM moved v LEFT JOIN moved b ON b.nr = v.before_nr
LEFT JOIN {population} p ON p.borrower = v.borrower
"""

TIERS = """
WITH amounts AS (
    SELECT hash(draw_key) AS nr, amount_fen FROM {draws}
), parts AS (
    SELECT hash(t.draw_key, t."try") AS nr, hash('tier:' || t.tier || '/' || t.slice) AS slice,
        coalesce(a.amount_fen, 0) - t.own_fen AS fen, t.own_fen, CASE WHEN t.own_fen <> 0
            THEN hash('tier:own/' || coalesce(t.own_slice::VARCHAR, 'None')) END AS own_slice
    FROM {tries} t LEFT JOIN amounts a ON a.nr = hash(t.draw_key)
), moved AS MATERIALIZED (
    SELECT hash(v.account, v.version) AS nr, hash(v.account, v.version - 1) AS before_nr,
        CASE WHEN v.event NOT IN ('reserve', 'post', 'void') THEN v.account END AS account,
        CASE WHEN v.event NOT IN ('reserve', 'post', 'void') THEN v.draw_key END AS draw_key,
        v.event, v.version, v.locked_ns, coalesce(v.held_fen, 0) AS held_fen,
        coalesce(v.balance_fen, 0) AS balance_fen,
        CASE WHEN p.slice = hash(v.account) THEN p.fen ELSE 0 END
            + CASE WHEN p.own_slice = hash(v.account) THEN p.own_fen ELSE 0 END AS part_fen
    FROM versions v LEFT JOIN parts p ON p.nr = hash(v.draw_key, v."try")
    WHERE v.account LIKE 'tier:%'
), found AS (
    SELECT v.account, v.event, v.draw_key, v.version,
        v.balance_fen - coalesce(b.balance_fen, 0) AS balance_change,
        v.held_fen - coalesce(b.held_fen, 0) AS held_change,
        v.version IS DISTINCT FROM coalesce(b.version, 0) + 1
            OR coalesce($dated AND v.locked_ns < b.locked_ns, false)
            OR v.balance_fen < 0 OR v.held_fen < 0 OR CASE v.event
            WHEN 'reserve' THEN balance_change <> -v.part_fen OR held_change <> v.part_fen
            WHEN 'post' THEN balance_change <> 0 OR held_change <> -v.part_fen
            WHEN 'void' THEN balance_change <> v.part_fen OR held_change <> -v.part_fen
            ELSE held_change <> 0 END AS wrong
    FROM moved v LEFT JOIN moved b ON b.nr = v.before_nr
)
SELECT event, draw_key, account, balance_change, wrong FROM found
WHERE wrong OR account IS NOT NULL ORDER BY account, version
"""
AS_MANY = """
SELECT coalesce(sum(version), 0) = $count FROM last_versions WHERE starts_with(account, $kind)
"""
Moved = tuple[str, str, str, int]  # event, draw_key, account, fen


def quota_follows(view: RunView, count: int) -> bool:
    """Do all versions of borrowers' accounts, of which there are so many, follow from one another,
    from what moved them and from the limits? `last_versions` must be known."""
    books = view.books
    if not _as_many(view, "borrower:", count):
        return False
    question = QUOTA.format(
        draws=books.single("draws", "draw_key"),
        repayments=books.single("repayments", "repay_key"),
        population=books.single("population", "borrower"),
    )
    return not any(books.one(question, {"dated": ledger_is_dated(view)}))


def tiers_follow(view: RunView, count: int) -> Sequence[Moved] | None:
    """What no draw has moved, where all versions of tiers' slices follow from one another and from
    their tries; None where some do not. `last_versions` must be known."""
    books = view.books
    if not _as_many(view, "tier:", count):
        return None
    question = TIERS.format(
        draws=books.single("draws", "draw_key"), tries=books.single("tries", 'draw_key, "try"')
    )
    rows: Sequence[Any] = books.ask(question, {"dated": ledger_is_dated(view)})
    return None if any(row[-1] for row in rows) else [row[:-1] for row in rows]


def _as_many(view: RunView, kind: str, count: int) -> bool:
    return bool(view.books.one(AS_MANY, {"kind": kind, "count": count})[0])
