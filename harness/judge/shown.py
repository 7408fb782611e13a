"""How old the quotas were that borrowers were shown: by the lender's word, and by its books."""

from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.view import RunView

# The ledger dates by a wall clock that was compared with ours once, and a look may be another
# machine's.
CLOCK_NS = NS_PER_S // 10
# As the generator writes down what a look was answered.
SAID = "^([0-9]{1,15}) ms old(?:; ([0-9]{1,15}) fen owed, ([0-9]{1,15}) held)?$"
LOOKS = f"""
SELECT a.intent, a.n, a.sent_ns, a.done_ns, 'borrower:' || i.borrower AS account,
    try_cast(regexp_extract(a.reason, '{SAID}', 1) AS BIGINT) AS age_ms,
    try_cast(regexp_extract(a.reason, '{SAID}', 2) AS BIGINT) AS owed_fen,
    try_cast(regexp_extract(a.reason, '{SAID}', 3) AS BIGINT) AS held_fen
FROM attempts a JOIN intents i USING (intent)
WHERE a.kind = 'look' AND a.outcome = 'granted' AND a.reason IS NOT NULL
"""
SAYS = f"SELECT max(age_ms), count(owed_fen) FROM ({LOOKS})"
# A version is no more to be seen than when it is committed, some time after its lock: by the next
# one's lock at the latest, or when a borrower has been told that the draw it posts is paid.
OLDEST = f"""
WITH looks AS ({LOOKS}), told AS (
    SELECT i.draw_key, min(a.done_ns) AS paid_ns FROM attempts a JOIN intents i USING (intent)
    WHERE a.kind IN ('press', 'poll') AND a.outcome = 'granted' GROUP BY i.draw_key
), mine AS (
    SELECT account, version, outstanding_fen AS owed_fen, held_fen, locked_ns,
        least(
            lead(locked_ns) OVER turns, CASE WHEN event = 'post' THEN told.paid_ns END
        ) AS seen_ns
    FROM versions LEFT JOIN told USING (draw_key) WHERE account IN (SELECT account FROM looks)
    WINDOW turns AS (PARTITION BY account ORDER BY version)
), states AS (
    SELECT account, owed_fen, held_fen, locked_ns, lead(seen_ns) OVER turns AS over_ns,
        lead(version) OVER turns IS NULL AS is_last
    FROM mine WINDOW turns AS (PARTITION BY account ORDER BY version)
    UNION ALL BY NAME
    SELECT account, 0 AS owed_fen, 0 AS held_fen, -1 AS locked_ns,
        arg_min(coalesce(seen_ns, -1), version) AS over_ns, false AS is_last
    FROM mine GROUP BY account
), aged AS (
    SELECT l.intent, l.n, l.age_ms, l.sent_ns,
        bool_or(s.is_last OR s.over_ns IS NULL OR s.over_ns < 0) AS may_be,
        max(s.over_ns) AS over_ns
    FROM looks l LEFT JOIN states s ON s.account = l.account AND s.owed_fen = l.owed_fen
        AND s.held_fen = l.held_fen AND s.locked_ns <= l.done_ns
    GROUP BY ALL
)
SELECT coalesce(max(sent_ns - over_ns), 0) FROM aged WHERE NOT may_be
"""


def shown_age_ms(view: RunView) -> int | None:
    """How old the oldest quota was that was shown, ms: by its own word, or as its figures have it
    where those say more.

    Over looks that were answered, whole drill. What a quota says is owed and held was true until
    the ledger's next version of that account, which was there for all to see by the time of the one
    after it, or when its draw was told to be paid: a look sent later shows what is so old at least,
    less 100 ms for the clocks. Null when nobody looked, or no answer said its age.
    """
    said_ms, with_figures = view.books.one(SAYS)
    if said_ms is None or not with_figures:
        return None if said_ms is None else int(said_ms)
    (least_ns,) = view.books.one(OLDEST)
    return max(int(said_ms), (int(least_ns) - CLOCK_NS) // NS_PER_MS)
