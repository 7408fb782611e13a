"""How each intent ended: the table of ends, one row an intent.

In SQL over all intents at once, but for one question: what was available to a borrower. Whom all
their draws together leave room enough has been promised whatever came first; of the others the
oracle tells, one by one.
"""

from harness.clock import NS_PER_S
from harness.evidence.columnar import Columns, arrow_table
from harness.judge.ends import SCHEMA, End, Ends
from harness.judge.oracle import Oracle
from harness.judge.view import RunView

# Room: what would be left of the limit if all that was ever paid counted, in each way in which the
# oracle may count it. Of amounts below zero, which only spoilt books have, it is none the larger.
ROOMS = """
WITH of_intents AS (
    SELECT i.borrower, sum(abs(i.amount_fen) + abs(d.amount_fen))::BIGINT AS fen
    FROM intents i JOIN {draws} d USING (draw_key)
    WHERE d.state = 'paid' AND d.ended_ns IS NOT NULL GROUP BY ALL
), of_versions AS (
    SELECT v.account, sum(abs(d.amount_fen))::BIGINT AS fen
    FROM versions v JOIN {draws} d USING (draw_key)
    WHERE v.event = 'reserve' AND d.state = 'paid' AND v.account LIKE 'borrower:%' GROUP BY ALL
), negative AS (
    SELECT v.account, sum(2 * abs(r.amount_fen))::BIGINT AS fen
    FROM versions v JOIN repayments r ON r.repay_key = v.draw_key
    WHERE v.event = 'repay' AND r.amount_fen < 0 GROUP BY ALL
)
SELECT p.borrower, NOT (p.barred OR p.delinquent) AS open,
    p.limit_fen - coalesce(i.fen, 0) - coalesce(v.fen, 0) - coalesce(n.fen, 0) AS room_fen
FROM {population} p
LEFT JOIN of_intents i USING (borrower)
LEFT JOIN of_versions v ON v.account = 'borrower:' || p.borrower
LEFT JOIN negative n ON n.account = 'borrower:' || p.borrower
"""

TIGHT = """
SELECT i.* FROM intents i JOIN rooms r USING (borrower) WHERE r.open AND i.amount_fen > r.room_fen
"""

# What a policy is against, and when it lasts: one that is never in force begins with its adoption.
# Of a score only the lender knows.
SAYS_NO = """
(n.forbids = i.purpose OR i.amount_fen > n.above_fen)
    AND n.begins_ns <= {at} AND (n.ended_ns IS NULL OR n.ended_ns > {at})
"""

TOLD_NO = """
(EXISTS (SELECT 1 FROM notices n WHERE n.borrower IS NULL
    AND n.published_ns <= {by} AND {says_no})
OR EXISTS (SELECT 1 FROM notices n WHERE n.borrower = i.borrower
    AND n.published_ns <= {by} AND {says_no}))
"""

ENDS = """
WITH notices AS MATERIALIZED (
    SELECT DISTINCT p.borrower, p.published_ns, n.forbids, n.above_fen,
        coalesce(n.in_force_ns, n.adopted_ns) AS begins_ns, n.ended_ns
    FROM published p JOIN policies n USING (policy)
), laws AS MATERIALIZED (
    SELECT DISTINCT forbids, above_fen, in_force_ns AS begins_ns, ended_ns
    FROM policies WHERE kind = 'compliance' AND in_force_ns IS NOT NULL
), told AS (
    SELECT intent, min(done_ns) FILTER (outcome = 'granted') AS granted_ns,
        bool_or(outcome = 'unknown') AS asked
    FROM attempts WHERE kind IN ('press', 'poll') GROUP BY intent
), facts AS (
    SELECT i.*, t.granted_ns, coalesce(t.asked, false) AS asked,
        CASE WHEN d.state = 'paid' THEN d.ended_ns END AS paid_ns,
        coalesce(d.state = 'paying', false) AS paying,
        coalesce(r.open, false) AND coalesce(f.fits, i.amount_fen <= r.room_fen, false) AS fits,
        coalesce(d.compliance_ns, i.due_ns) AS decided_ns
    FROM intents i
    LEFT JOIN {draws} d ON d.draw_key = i.draw_key
    LEFT JOIN told t ON t.intent = i.intent
    LEFT JOIN rooms r ON r.borrower = i.borrower
    LEFT JOIN fitting f ON f.intent = i.intent
), judged AS (
    SELECT i.*,
        fits AND NOT {told_no_due} AS promised,
        fits AND NOT {told_no_baseline} AS promised_before,
        NOT EXISTS (SELECT 1 FROM laws n WHERE {says_no_decided}) AS lawful,
        paying OR (asked AND $no_ledger AND granted_ns IS NULL) AS unresolved,
        granted_ns IS NOT NULL AND granted_ns <= due_ns + $deadline_ns AS in_time
    FROM facts i
), timed AS (
    SELECT *, NOT promised AND promised_before AS withheld,
        NOT in_time AND (granted_ns IS NOT NULL OR paid_ns IS NOT NULL OR unresolved) AS late
    FROM judged
)
SELECT intent, draw_key, borrower, "group", amount_fen, purpose, due_ns, phase, straddling,
    promised, lawful, {end_of} AS "end", granted_ns, paid_ns, unresolved,
    NULL::VARCHAR AS cause, NULL::VARCHAR AS hop, NULL::BOOLEAN AS avoidable, []::VARCHAR[] AS exposed_to
FROM timed ORDER BY intent
"""

# The table of ends, in its order: the first line that fits. `late` covers granted late, paid and
# never learned, and unresolved.
TABLE: tuple[tuple[str, End], ...] = (
    ("promised AND lawful AND in_time", "kept"),
    ("promised AND lawful AND late", "broken_late"),
    ("promised AND lawful", "broken"),
    ("promised AND (in_time OR late)", "wrongly_approved"),
    ("promised", "broken"),
    ("withheld AND lawful AND in_time", "granted_anyway"),
    ("withheld AND lawful", "withheld"),
    ("in_time OR late", "wrongly_approved"),
    ("true", "rightly_refused"),
)
END_OF = "\n".join(["CASE", *(f"WHEN {when} THEN '{end}'" for when, end in TABLE), "END"])


def judge_intents(view: RunView, oracle: Oracle) -> Ends:
    """Every scheduled intent exactly once, in order of its number."""
    books = view.books
    draws, people = books.single("draws", "draw_key"), books.single("population", "borrower")
    rooms = Columns[object](books.table(ROOMS.format(draws=draws, population=people)))
    tight = view.intents.where(intent=[row[0] for row in books.ask(TIGHT, rooms=rooms)])
    oracle.know(set(tight.column("borrower")))
    fits = {one.intent: one.amount_fen <= oracle.available_fen(one) for one in tight}
    fitting = Columns[object](arrow_table([*fits.items()], {"intent": "int64", "fits": "bool"}))
    due = SAYS_NO.format(at="i.due_ns")
    question = ENDS.format(
        draws=draws,
        told_no_due=TOLD_NO.format(by="i.due_ns", says_no=due),
        told_no_baseline=TOLD_NO.format(by="$baseline_ns", says_no=due),
        says_no_decided=SAYS_NO.format(at="i.decided_ns"),
        end_of=END_OF,
    )
    at = {
        "baseline_ns": oracle.baseline_ns,
        "deadline_ns": int(view.scenario.load.patience.deadline_s * NS_PER_S),
        "no_ledger": bool({"draws", "tries"} & {*view.missing, *view.cut}),
    }
    found = books.table(question, at, rooms=rooms, fitting=fitting)
    return Ends(found.cast(arrow_table((), SCHEMA).schema))
