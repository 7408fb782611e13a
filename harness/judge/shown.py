"""How old the quotas were that borrowers were shown: by the lender's word, by its books, and by the
policies that borrowers were told of.
"""

from collections.abc import Iterable, Iterator, Sequence

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Borrower, Policy
from harness.judge.scorecard import cut_fen, is_about
from harness.judge.view import RunView

# The ledger dates by a wall clock that was compared with ours once, and a look may be another
# machine's.
CLOCK_NS = NS_PER_S // 10
# As the generator writes down what a look was answered.
SAID = (
    "^([0-9]{1,15}) ms old(?:; limit ([0-9]{1,15}) fen, ([0-9]{1,15}) owed, ([0-9]{1,15}) held)?$"
)
LOOKS = f"""
SELECT a.intent, a.n, a.sent_ns, a.done_ns, i.borrower, 'borrower:' || i.borrower AS account,
    try_cast(regexp_extract(a.reason, '{SAID}', 1) AS BIGINT) AS age_ms,
    try_cast(regexp_extract(a.reason, '{SAID}', 2) AS BIGINT) AS limit_fen,
    try_cast(regexp_extract(a.reason, '{SAID}', 3) AS BIGINT) AS owed_fen,
    try_cast(regexp_extract(a.reason, '{SAID}', 4) AS BIGINT) AS held_fen
FROM attempts a JOIN intents i USING (intent)
WHERE a.kind = 'look' AND a.outcome = 'granted' AND a.reason IS NOT NULL
"""
SAYS = f"SELECT max(age_ms), count(owed_fen), count(age_ms) FROM ({LOOKS})"
ANSWERED = "SELECT count(*) FROM attempts WHERE kind = 'look' AND outcome = 'granted'"
# A version is no more to be seen than when it is committed, some time after its lock: by the next
# one's lock at the latest, or when a borrower has been told that the draw it posts is paid.
OLDEST = f"""
WITH looks AS ({LOOKS}), told AS (
    SELECT i.draw_key, min(a.done_ns) AS paid_ns FROM attempts a JOIN intents i USING (intent)
    WHERE a.kind IN ('press', 'poll', 'close') AND a.outcome = 'granted' GROUP BY i.draw_key
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

# Before the first cut nothing is wrong with a limit.
SINCE = f"""
SELECT borrower, sent_ns, done_ns, limit_fen FROM ({LOOKS})
WHERE limit_fen IS NOT NULL AND sent_ns > $since_ns
"""


def shown_age_ms(view: RunView) -> int | None:
    """How old the oldest quota was that was shown, ms: by its own word, or as its figures have it
    where those say more.

    Over looks that were answered, whole drill. What a quota says is owed and held was true until
    the ledger's next version of that account, which was there for all to see by the time of the one
    after it, or when its draw was told to be paid; its limit, until a cut that borrowers were told
    of began or ended. A look sent later shows what is so old at least, less 100 ms for the clocks.
    Null when nobody looked, or an answer did not say its age: it may have been the oldest.
    """
    said_ms, with_figures, with_age = view.books.one(SAYS)
    (answered,) = view.books.one(ANSWERED)
    if said_ms is None or with_age < answered:
        return None
    if not with_figures:
        return int(said_ms)
    (by_books_ns,) = view.books.one(OLDEST)
    least_ns = max([int(by_books_ns), *_by_limits_ns(view)])
    return max(int(said_ms), (least_ns - CLOCK_NS) // NS_PER_MS)


def _by_limits_ns(view: RunView) -> Iterator[int]:
    """By look: how long its limit had not been true any more."""
    cuts = list(told_cuts(view))
    if not cuts:
        return
    looks = view.books.ask(SINCE, {"since_ns": min(from_ns for from_ns, _, _ in cuts)})
    population = view.population.where(borrower={borrower for borrower, *_ in looks})
    people = {person.borrower: person for person in population}
    for borrower, sent_ns, done_ns, limit_fen in looks:
        pieces = limits_of(people.get(borrower), cuts)
        over_ns = None
        for (from_ns, fen), after in zip(pieces, [*pieces[1:], None], strict=False):
            if fen == limit_fen and from_ns <= done_ns:
                over_ns = None if after is None else after[0]
        if over_ns is not None:
            yield sent_ns - over_ns


def told_cuts(view: RunView) -> Iterator[tuple[int, int, Policy]]:
    """Policies that cut limits and were told to all: from when to when quotas are shown by them,
    at the latest and the earliest: one that some replica has obeyed was to be obeyed by then."""
    told = {row.policy: row.published_ns for row in view.published if row.kind == "notice"}
    obeyed: dict[int, int] = {}
    for one in view.policies:
        if one.kind == "risk" and one.replica is not None and one.adopted_ns is not None:
            obeyed[one.policy] = min(one.adopted_ns, obeyed.get(one.policy, one.adopted_ns))
    for one in view.policies:
        cuts = one.kind == "risk" and one.keep_bp is not None and one.replica is None
        if not cuts or one.policy not in told or one.policy not in obeyed:
            continue
        # A replica whose clock is wrong obeys it too early.
        from_ns = max(told[one.policy], one.in_force_ns or 0, obeyed[one.policy])
        if one.in_force_ns is not None and one.ended_ns is not None and from_ns < one.ended_ns:
            yield from_ns, one.ended_ns, one


def limits_of(
    person: Borrower | None, cuts: Iterable[tuple[int, int, Policy]]
) -> Sequence[tuple[int, int]]:
    """What a borrower's limit is shown as, fen, from which moment on; nothing where it can't be
    told whom the cuts are about."""
    about = [(cut, is_about(cut[2], person)) for cut in cuts]
    if person is None or None in (hit for _, hit in about):
        return ()
    mine = [cut for cut, hit in about if hit]
    found = [(-1, person.limit_fen)]
    for at_ns in sorted({moment for from_ns, to_ns, _ in mine for moment in (from_ns, to_ns)}):
        lost = [cut_fen(one, person.limit_fen) for from_ns, to_ns, one in mine
                if from_ns <= at_ns < to_ns]  # fmt: skip
        found.append((at_ns, person.limit_fen - max(lost, default=0)))
    return found
