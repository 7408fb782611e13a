"""How each intent ended: the table of ends, one row an intent.

In SQL over all intents at once, but for one question: what was available to a borrower. Whom all
their draws together leave room enough has been promised whatever came first; of the others the
oracle tells, one by one.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.columnar import Columns
from harness.evidence.derived import arrow_table
from harness.judge.ends import End, Ends
from harness.judge.law import Law
from harness.judge.noticed import hidden_ns
from harness.judge.oracle import ANSWERED, Oracle
from harness.judge.scorecard import COLUMNS, against, literals
from harness.judge.told import know_what_was_told
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
SELECT p.borrower, NOT (p.barred OR p.delinquent) AS open, p.limit_fen, p.tenure_months,
    p.utilisation_bp, p.past_due_days, p.income_band, p."group", p.student, p.unverified,
    p.limit_fen - coalesce(i.fen, 0) - coalesce(v.fen, 0) - coalesce(n.fen, 0) AS room_fen
FROM {population} p
LEFT JOIN of_intents i USING (borrower)
LEFT JOIN of_versions v ON v.account = 'borrower:' || p.borrower
LEFT JOIN negative n ON n.account = 'borrower:' || p.borrower
"""

TIGHT = """
SELECT i.* FROM intents i JOIN rooms r USING (borrower)
WHERE (r.open OR $keep_bp < 10000) AND i.amount_fen > r.room_fen - CASE WHEN $keep_bp < 10000
    THEN r.limit_fen - r.limit_fen * $keep_bp // 10000 ELSE 0 END
"""

# Policies that borrowers had been told of, and rules that are law; few, but for those that single
# borrowers are told of. One that is never in force begins with its adoption. Of the rules of a
# rules file these say nothing: see law.py.
NOTICES = """
SELECT DISTINCT p.borrower, p.published_ns, n.forbids, n.above_fen, n.score_below, n.stress_bp,
    n.keep_bp, coalesce(n.in_force_ns, n.adopted_ns) AS begins_ns,
    least(n.ended_ns, h.hidden_ns) AS ended_ns
FROM published p JOIN policies n USING (policy) LEFT JOIN hidden h USING (policy)
WHERE begins_ns IS NOT NULL AND p.published_ns IS NOT NULL ORDER BY ALL
"""
LAWS = """
SELECT DISTINCT forbids, above_fen, score_below, stress_bp, keep_bp, in_force_ns, ended_ns
FROM policies WHERE kind = $kind AND in_force_ns IS NOT NULL ORDER BY ALL
"""
# The least that any policy leaves of a limit, ten-thousandths.
LEAST_LEFT = "SELECT coalesce(min(keep_bp), 10000) FROM policies"
OWN_NOTICE = f"""
{against(**{name: "n." + name for name in COLUMNS})} AND n.begins_ns <= i.due_ns
    AND (n.ended_ns IS NULL OR n.ended_ns > i.due_ns)
"""

ENDS = """
WITH known AS (
    SELECT i.intent, i.draw_key, i.borrower, i.due_ns, i.amount_fen, i.purpose,
        coalesce(r.open, false) AS open, coalesce(f.available_fen, r.room_fen) AS available_fen,
        r.room_fen, r.limit_fen, r."group", r.student, r.unverified,
        r.tenure_months, r.utilisation_bp, r.past_due_days, r.income_band
    FROM intents i
    LEFT JOIN rooms r ON r.borrower = i.borrower
    LEFT JOIN fitting f ON f.intent = i.intent
), own AS (
    SELECT i.intent, bool_or(n.published_ns <= i.due_ns) AS told_due,
        bool_or(n.published_ns <= $baseline_ns) AS told_baseline
    FROM known i JOIN notices n ON n.borrower = i.borrower AND {own_notice} GROUP BY i.intent
), facts AS (
    SELECT i.* EXCLUDE (draw_key, borrower), d.tier,
        t.granted_ns, coalesce(t.asked, false) AS asked,
        CASE WHEN d.state = 'paid' THEN d.ended_ns END AS paid_ns,
        coalesce(d.state = 'paying', false) AS paying,
        open AND coalesce(i.amount_fen <= available_fen, false) AS fits,
        CASE WHEN d.compliance_ns IS NULL THEN i.due_ns ELSE {decided} END AS decided_ns,
        CASE WHEN d.risk_ns IS NULL THEN i.due_ns ELSE {judged} END AS judged_ns,
        coalesce(o.told_due, false) AS own_due, coalesce(o.told_baseline, false) AS own_baseline
    FROM known i
    LEFT JOIN {draws} d ON d.draw_key = i.draw_key
    LEFT JOIN told t ON t.intent = i.intent
    LEFT JOIN own o ON o.intent = i.intent
), judged AS (
    SELECT *,
        fits AND NOT (own_due OR {told_due}) AS promised,
        fits AND NOT (own_baseline OR {told_baseline}) AS promised_before,
        NOT ({unlawful}) AS lawful,
        NOT ({not_permitted}) AS permitted,
        paying OR (asked AND $no_ledger AND granted_ns IS NULL) AS unresolved,
        coalesce(granted_ns <= due_ns + $deadline_ns, false) AS in_time
    FROM facts
), timed AS (
    SELECT *, NOT promised AND promised_before AS withheld,
        granted_ns IS NOT NULL OR paid_ns IS NOT NULL AS approved,
        NOT in_time AND (approved OR unresolved) AS late
    FROM judged
)
SELECT promised, lawful, {end_of} AS "end", granted_ns, paid_ns, unresolved
FROM timed ORDER BY intent, amount_fen, due_ns
"""

# The table of ends, in its order: the first line that fits. `late` covers granted late, paid and
# never learned, and unresolved. Not permitted is what a policy of risk in force forbade: approved,
# it was approved wrongly; not approved, it ended as any other.
TABLE: tuple[tuple[str, End], ...] = (
    ("NOT permitted AND approved", "wrongly_approved"),
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
END_OF = "\n".join(["CASE", *(f"WHEN {when} THEN {n}" for n, (when, _) in enumerate(TABLE)), "END"])


def judge_intents(view: RunView, oracle: Oracle) -> Ends:
    """Every scheduled intent exactly once, in order of its number."""
    books = view.books
    know_what_was_told(books)
    draws, people = books.single("draws", "draw_key"), books.single("population", "borrower")
    rooms = Columns[object](books.table(ROOMS.format(draws=draws, population=people)))
    (keep_bp,) = books.one(LEAST_LEFT)
    asked = books.ask(TIGHT, {"keep_bp": keep_bp}, rooms=rooms)
    tight = view.intents.where(intent=[row[0] for row in asked])
    oracle.know(set(tight.column("borrower")))
    left_fen = [(one.intent, oracle.available_fen(one)) for one in tight]
    fitting = Columns[object](arrow_table(left_fen, {"intent": "int64", "available_fen": "int64"}))
    over = arrow_table([*hidden_ns(view).items()], {"policy": "int64", "hidden_ns": "int64"})
    hidden = Columns[object](over)
    notices = Columns[object](books.table(NOTICES, hidden=hidden))
    for_all = [row[1:] for row in books.ask(NOTICES, hidden=hidden) if row[0] is None]
    law = Law(view)
    before = law.told_by(oracle.baseline_ns)
    question = ENDS.format(
        draws=draws,
        own_notice=OWN_NOTICE,
        decided=ANSWERED.format(said="d.compliance_ns"),
        judged=ANSWERED.format(said="d.risk_ns"),
        told_due=_any(
            [
                *(f"due_ns >= {told} AND {_no(no, 'due_ns')}" for told, *no in for_all),
                law.sql_forbids(law.told_as_due, "due_ns"),
            ]
        ),
        told_baseline=_any(
            [
                *(_no(no, "due_ns") for told, *no in for_all if told <= oracle.baseline_ns),
                law.sql_forbids(before, "due_ns"),
            ]
        ),
        unlawful=_any(
            [
                *(_no(one, "decided_ns") for one in books.ask(LAWS, {"kind": "compliance"})),
                law.sql_unlawful("decided_ns"),
            ]
        ),
        not_permitted=_any(_no(one, "judged_ns") for one in books.ask(LAWS, {"kind": "risk"})),
        end_of=END_OF,
    )
    at = {
        "baseline_ns": oracle.baseline_ns,
        "deadline_ns": int(view.scenario.load.patience.deadline_s * NS_PER_S),
        "no_ledger": bool({"draws", "tries"} & {*view.missing, *view.cut}),
    }
    found = books.table(question, at, rooms=rooms, fitting=fitting, notices=notices)
    return Ends.beside(view.intents, found, [end for _, end in TABLE])


def _no(policy: Sequence[Any], at: str) -> str:
    """Does a policy say no to an intent at that moment? In SQL, of the intent's columns."""
    *about, begins_ns, ended_ns = policy
    until = "" if ended_ns is None else f" AND {at} < {ended_ns}"
    return f"{against(**literals(about))} AND {at} >= {begins_ns}{until}"


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(f"({one})" for one in conditions) or "false"
