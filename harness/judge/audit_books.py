"""Rules about the books alone: recomputed from versions, postings, tries and payouts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from harness.evidence.query import Books
from harness.evidence.rows import Version
from harness.judge import audit_dates, audit_repayments, audit_steps, audit_sums
from harness.judge.audit_limits import check_limits, check_shares
from harness.judge.clocks import ledger_is_dated
from harness.judge.ends import IntentEnd
from harness.judge.offences import Offences
from harness.judge.view import RunView

# Of two versions with one number, which only spoilt books have, it must be one and the same that
# comes first in every run of the question.
TIE = "locked_ns, held_fen"

# Each version of the accounts of one kind beside the one before it. `found`: what offends, in the
# order in which it is told of an account: first that versions do not follow one another.
QUOTA = """
WITH moved AS (
    SELECT TRY_CAST(substr(v.account, 10) AS BIGINT) AS borrower, v.version, v.event, v.locked_ns,
        v.limit_fen, v.held_fen, v.outstanding_fen, coalesce(CASE WHEN v.event = 'repay'
            THEN r.amount_fen ELSE d.amount_fen END, 0) AS amount_fen
    FROM versions v
    LEFT JOIN {draws} d ON d.draw_key = v.draw_key AND v.event <> 'repay'
    LEFT JOIN {repayments} r
        ON r.repay_key = v.draw_key AND v.event = 'repay' AND r.state = 'repaid'
    WHERE v.account LIKE 'borrower:%'
), replayed AS (
    SELECT *, row_number() OVER w AS place, lag(locked_ns) OVER w AS before_ns,
        sum(CASE event WHEN 'repay' THEN 0 WHEN 'reserve' THEN amount_fen ELSE -amount_fen END)
            OVER w AS true_held_fen,
        sum(CASE event WHEN 'repay' THEN -amount_fen WHEN 'post' THEN amount_fen ELSE 0 END)
            OVER w AS true_owed_fen
    FROM moved
    WINDOW w AS (PARTITION BY borrower ORDER BY version, {tie} ROWS UNBOUNDED PRECEDING)
), found AS (
    SELECT v.*, 'borrower:' || v.borrower AS account, coalesce(p.limit_fen, 0) AS limited_fen,
        coalesce(held_fen, 0) + coalesce(outstanding_fen, 0) - limited_fen AS over_fen,
        version IS DISTINCT FROM place AS misplaced,
        coalesce($dated AND locked_ns < before_ns, false) AS too_soon,
        v.limit_fen IS DISTINCT FROM limited_fen AS another_limit,
        held_fen IS DISTINCT FROM true_held_fen
            OR outstanding_fen IS DISTINCT FROM true_owed_fen AS astray,
        over_fen > 0 OR coalesce(held_fen < 0 OR outstanding_fen < 0, false) AS beyond
    FROM replayed v LEFT JOIN {population} p USING (borrower)
)
SELECT account, version, place, misplaced, too_soon, another_limit, astray, beyond,
    limit_fen, limited_fen, amount_fen, over_fen
FROM found WHERE misplaced OR too_soon OR another_limit OR astray OR beyond OR borrower IS NULL
ORDER BY account, place
"""

TIERS = """
WITH parts AS (
    SELECT t.draw_key, t."try", t.tier || '/' || t.slice AS slice,
        coalesce(d.amount_fen, 0) - t.own_fen AS fen, t.own_fen,
        CASE WHEN t.own_fen <> 0 THEN 'own/' || coalesce(t.own_slice::VARCHAR, 'None') END
            AS own_slice
    FROM {tries} t LEFT JOIN {draws} d USING (draw_key)
), moved AS (
    SELECT substr(v.account, 6) AS name, v.version, v.event, v.locked_ns, v.held_fen,
        v.balance_fen, v.event IN ('reserve', 'post', 'void') AS of_draw,
        CASE WHEN p.slice = name THEN p.fen ELSE 0 END
            + CASE WHEN p.own_slice = name THEN p.own_fen ELSE 0 END AS part_fen,
        CASE WHEN v.event NOT IN ('reserve', 'post', 'void') THEN v.draw_key END AS draw_key
    FROM versions v
    LEFT JOIN parts p ON p.draw_key = v.draw_key AND p."try" = v."try"
    WHERE v.account LIKE 'tier:%'
), replayed AS (
    SELECT *, row_number() OVER w AS place, lag(locked_ns) OVER w AS before_ns,
        coalesce(balance_fen, 0) - coalesce(lag(balance_fen) OVER w, 0) AS balance_change,
        coalesce(held_fen, 0) - coalesce(lag(held_fen) OVER w, 0) AS held_change
    FROM moved WINDOW w AS (PARTITION BY name ORDER BY version, {tie})
), found AS (
    SELECT *, CASE event WHEN 'reserve' THEN -part_fen WHEN 'void' THEN part_fen ELSE 0 END
            AS balance_due,
        CASE event WHEN 'reserve' THEN part_fen ELSE -part_fen END AS held_due,
        version IS DISTINCT FROM place AS misplaced,
        coalesce($dated AND locked_ns < before_ns, false) AS too_soon,
        coalesce(balance_fen < 0 OR held_fen < 0, false) AS below
    FROM replayed
)
SELECT 'tier:' || name, version, place, misplaced, too_soon, of_draw, event, draw_key, part_fen,
    balance_change, held_change, balance_due, held_due, below, coalesce(balance_fen, 0)
FROM found
WHERE misplaced OR too_soon OR below OR NOT of_draw
    OR balance_change <> balance_due OR held_change <> held_due
ORDER BY name, place
"""

# Each event by its postings and by its versions: what is wrong with it, in this order. Asked of all
# events by numbers made of their names, which is quick and finds some too many at most; then again.
BY_EVENT = """
WITH sums AS (
    SELECT {event} AS nr, sum(amount_fen)::BIGINT AS fen, min(locked_ns) AS first_ns,
        max(locked_ns) AS last_ns FROM postings WHERE {which} GROUP BY ALL
), moves AS (
    SELECT {event} AS nr, bool_or(event IN ('reserve', 'post', 'void', 'repay')) AS dated,
        min(locked_ns) AS first_ns, max(locked_ns) AS last_ns
    FROM versions WHERE {which} GROUP BY ALL
)
SELECT nr, s.fen, CASE WHEN s.fen <> 0 THEN 0 WHEN s.fen IS NULL THEN 1
    WHEN m.first_ns IS NULL THEN 2
    WHEN m.dated AND (s.first_ns IS DISTINCT FROM m.first_ns
        OR s.last_ns IS DISTINCT FROM m.last_ns) THEN 3
    END AS wrong
FROM sums s FULL JOIN moves m USING (nr) WHERE wrong IS NOT NULL ORDER BY wrong, nr
"""
NUMBER = 'hash(draw_key, "try", event)'
EVENT = """struct_pack(key := draw_key, nr := "try", event := event)"""
WRONG = ("postings sum to {} fen", "no postings", "no versions", "postings dated otherwise")

# Of versions with one number, which only spoilt books have, the most of each amount counts.
LAST = """
SELECT account, max(version) AS version, max(held_fen) AS held_fen,
    max(outstanding_fen) AS outstanding_fen, max(balance_fen) AS balance_fen
FROM versions JOIN (SELECT account, max(version) AS version FROM versions GROUP BY account)
    USING (account, version)
GROUP BY account
"""


def know_last_versions(books: Books) -> None:
    """Let questions know the table `last_versions`: what each account came to."""
    books.once("last_versions", LAST)


def _check_order(found: Offences, rows: Sequence[tuple[str, int, int, bool, bool]]) -> None:
    """Versions follow one another, and so do the moments their locks were won."""
    for account, version, place, misplaced, too_soon in rows:
        if misplaced:
            found.add(0, f"{account}: version {version} where {place} is due")
        if too_soon:
            found.add(0, f"{account}: version {place} was locked before the one it follows")


def quota(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """4: never over the limit at any version, and each version follows from the one before.

    Broken by more held and outstanding than the limit, by a limit that is not the one given, and by
    a version that is missing or does not follow from its draw or repayment. Examined are versions
    of borrowers' accounts.
    """
    books = view.books
    (examined,) = books.one("SELECT count(*) FROM versions WHERE account LIKE 'borrower:%'")
    found = Offences(examined)
    know_last_versions(books)
    if not audit_steps.quota_follows(view, examined):
        _find_in_quota(view, found)
    if found.examined:
        audit_repayments.moved_once(view, found)
    return found


def _find_in_quota(view: RunView, found: Offences) -> None:
    """What of borrowers' accounts does not follow, by name."""
    books = view.books
    question = QUOTA.format(
        draws=books.single("draws", "draw_key"),
        repayments=books.single("repayments", "repay_key"),
        population=books.single("population", "borrower"),
        tie=TIE,
    )
    at = {"dated": ledger_is_dated(view)}
    for _account, rows in groupby(books.ask(question, at), key=itemgetter(0)):
        mine = list(rows)
        if _account is None:
            raise ValueError("a version of a borrower's account without a borrower")
        _check_order(found, [row[:5] for row in mine])
        for account, version, _, _, _, another_limit, astray, over, *fen in mine:
            limit_fen, limited_fen, amount_fen, over_fen = fen
            where = f"{account} version {version}"
            if another_limit:
                found.add(0, f"{where}: limit {limit_fen}, was given {limited_fen}")
            if astray:
                found.add(amount_fen, f"{where}: held and outstanding don't follow from the draws")
            if over:
                found.add(over_fen, f"{where}: {over_fen} fen over the limit")


def tiers(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """5: a tier's money is conserved at every version, never negative, never drawn beyond the limit
    of an hour or a day, and shared as agreed.

    Broken by a version that moved another amount than its draw, by money that neither a draw nor
    the treasury moved, by a reservation beyond a limit, and by a part of joint lending that is not
    the agreed one, or leaves the partner less than 30 %. Examined are versions of tiers' slices.
    """
    books = view.books
    (examined,) = books.one("SELECT count(*) FROM versions WHERE account LIKE 'tier:%'")
    found = Offences(examined)
    know_last_versions(books)
    steps = audit_steps.tiers_follow(view, examined)
    if steps is None:
        steps = _find_in_tiers(view, found)
    moved: Counter[tuple[str, str, str]] = Counter()
    for event, key, account, change_fen in steps:
        moved[event, key, account.removeprefix("tier:").partition("/")[0]] += change_fen
    if found.examined:
        _check_moved(view, moved, found)
        check_shares(view, found)
        if ledger_is_dated(view):
            check_limits(view, found)
    return found


def _find_in_tiers(view: RunView, found: Offences) -> list[audit_steps.Moved]:
    """What of tiers' slices does not follow, by name; and what no draw has moved."""
    books = view.books
    draws = books.single("draws", "draw_key")
    question = TIERS.format(draws=draws, tries=books.single("tries", 'draw_key, "try"'), tie=TIE)
    at = {"dated": ledger_is_dated(view)}
    steps: list[audit_steps.Moved] = []
    for account, rows in groupby(books.ask(question, at), key=itemgetter(0)):
        mine = list(rows)
        _check_order(found, [row[:5] for row in mine])
        for row in mine:
            _check_moves(found, row)
            of_draw, event, key, change_fen = row[5], row[6], row[7], row[9]
            if not of_draw:
                steps.append((event, key, account, change_fen))
    return steps


def _check_moves(found: Offences, row: Sequence[Any]) -> None:
    """What one version of a slice has changed, against what its event says."""
    account, version, _, _, _, of_draw, event, _, part_fen, *rest = row
    balance_change, held_change, balance_due, held_due, below, balance_fen = rest
    where = f"{account} version {version}"
    change = (balance_change, held_change)
    if of_draw and change != (balance_due, held_due):
        lost_fen = balance_due + held_due - sum(change)
        found.add(lost_fen, f"{where}: {event} of {part_fen} moved {change}")
    if not of_draw and held_change:
        found.add(held_change, f"{where}: {event} changed what is held")
    if below:
        found.add(balance_fen, f"{where}: negative")


def _check_moved(view: RunView, moved: Mapping[tuple[str, str, str], int], found: Offences) -> None:
    """Money that no draw moved: the opening as planned, the rest against the treasury."""
    opening = {tier.tier: tier.balance_fen for tier in view.tiers}
    given: Counter[tuple[str, str]] = Counter()
    for (event, key, tier), amount_fen in moved.items():
        if event == "gather" and amount_fen:
            found.add(amount_fen, f"tier:{tier}: {amount_fen} fen more after gathering for {key}")
        if event == "opening" and amount_fen != opening.get(tier, 0):
            found.add(amount_fen, f"tier:{tier}: opened with {amount_fen} fen")
        if event != "gather":
            given[event, key] += amount_fen
    before_fen = 0
    treasury: Sequence[Version] = view.versions.where(account="treasury")
    for place, version in enumerate(sorted(treasury, key=lambda v: v.version), start=1):
        if version.version != place:
            found.add(0, f"treasury: version {version.version} where {place} is due")
        given[version.event, version.draw_key] += (version.balance_fen or 0) - before_fen
        before_fen = version.balance_fen or 0
    for (event, key), lost_fen in given.items():
        if lost_fen:
            found.add(lost_fen, f"{event} {key}: {lost_fen} fen between treasury and tiers")
    for tier, balance_fen in opening.items():
        if balance_fen and not any(row[0] == "opening" and row[2] == tier for row in moved):
            found.add(balance_fen, f"tier:{tier}: has no opening")


def postings(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """6: the postings of each event sum to zero, balances are their sums, and all that was written
    of an event agrees.

    Broken by an event whose postings do not balance or are not there, and by an account that is
    off them. Examined are postings.
    """
    books = view.books
    found = Offences(examined=len(view.postings))
    suspect = [row[0] for row in books.ask(BY_EVENT.format(event=NUMBER, which="true"))]
    which = f"{NUMBER} IN (SELECT unnest($suspect::UBIGINT[]))"
    question = BY_EVENT.format(event=EVENT, which=which)
    for event, total_fen, wrong in books.ask(question, {"suspect": suspect}) if suspect else ():
        what = WRONG[wrong].format(total_fen)
        found.add(total_fen or 0, f"{event['key']} try {event['nr']} {event['event']}: {what}")
    know_last_versions(books)
    audit_sums.accounts(view, found)
    if found.examined:
        audit_dates.events_agree(view, found)
    return found
