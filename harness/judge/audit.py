"""The audit: is the money right? One table of rules; each says how many rows it examined.

A rule that examined nothing is inconclusive, and so is one that failed itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.judge import audit_answers, audit_books, audit_causes, audit_ends
from harness.judge.clocks import ledger_is_dated
from harness.judge.ends import Finding, IntentEnd
from harness.judge.offences import Offences
from harness.judge.view import RunView

Rule = Callable[[RunView, Sequence[IntentEnd]], Offences]


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule's number in the design, its name, its tables, and what looks."""

    number: int
    name: str
    tables: tuple[str, ...]
    look: Rule


RULES = (
    Entry(
        1,
        "acknowledged-once",
        ("attempts", "intents", "draws", "clocks", "repay_intents", "repayments"),
        audit_answers.acknowledged_once,
    ),
    Entry(
        2,
        "nothing-unasked",
        ("draws", "payouts", "intents", "attempts", "collections", "repay_intents", "repayments"),
        audit_answers.nothing_unasked,
    ),
    Entry(3, "one-payout", ("intents", "payouts"), audit_answers.one_payout),
    Entry(
        4,
        "quota-never-exceeded",
        ("versions", "draws", "population", "repayments"),
        audit_books.quota,
    ),
    Entry(5, "tiers-conserved", ("versions", "tiers", "tries", "draws"), audit_books.tiers),
    Entry(
        6,
        "postings-balance",
        ("postings", "versions", "draws", "tries", "repayments"),
        audit_books.postings,
    ),
    Entry(
        7,
        "books-agree",
        ("tries", "draws", "tiers", "payouts", "tombstones"),
        audit_ends.books_agree,
    ),
    Entry(8, "no-hold-left", ("versions", "tries"), audit_ends.no_hold_left),
    Entry(
        9,
        "answers-true",
        ("attempts", "intents", "draws", "tries", "payouts", "versions", "clocks", "repay_intents",
         "repayments"),
        audit_answers.answers_true,
    ),
    Entry(
        10,
        "survives-failover",
        ("states", "attempts", "intents", "draws", "calls"),
        audit_ends.survives_failover,
    ),
    Entry(
        11,
        "cause-true",
        ("attempts", "intents", "draws", "calls", "states", "policies", "versions", "tiers",
         "population"),
        audit_causes.cause_true,
    ),
    Entry(12, "unknowns-resolved", ("attempts", "intents", "draws", "tries"),
          audit_answers.resolved),
    Entry(
        13,
        "nothing-wrongly-approved",
        ("intents", "attempts", "versions", "population", "published", "policies", "repayments",
         "draws"),
        audit_answers.approved_rightly,
    ),
)  # fmt: skip
FAILOVER, CAUSES = 10, 11
# They hold what the ledger has dated against what others have, and against when faults came and
# went: whom they accuse by dates that say nothing, or are not there, nobody knows.
BY_DATES = (CAUSES, 13)
KEYS_SHOWN = 10


def audit(view: RunView, ends: Sequence[IntentEnd]) -> tuple[Finding, ...]:
    """Every rule, in order; the rule about failovers only when there was one, and the rule about
    causes only when somebody was refused."""
    return tuple(_finding(entry, view, ends) for entry in RULES if _applies(entry.number, view))


def _applies(number: int, view: RunView) -> bool:
    gone = {*view.missing, *view.cut}
    if number == FAILOVER:
        return "states" in gone or any(audit_ends.is_failover(state) for state in view.states)
    if number == CAUSES:
        nothing = not view.attempts or "attempts" in gone
        return nothing or audit_causes.told_a_cause(view)
    return True


def _keys(found: Offences) -> tuple[str, ...]:
    """Every text begins with what it is about."""
    return tuple(dict.fromkeys(text.partition(": ")[0] for _, text in found.rows))[:KEYS_SHOWN]


def _undated(view: RunView) -> str:
    """Why what is accused by dates may not be so, in words; empty: it is."""
    if not ledger_is_dated(view):
        return "the ledger's dates say nothing; by them"
    if {one.name for one in view.scenario.faults} - {one.name for one in view.faults}:
        return "when a fault came and went is not recorded; without it"
    return ""


def _finding(entry: Entry, view: RunView, ends: Sequence[IntentEnd]) -> Finding:
    gone = sorted({*view.missing, *view.cut} & set(entry.tables))
    if gone:
        first = f"not there or cut short: {', '.join(gone)}"
        return Finding(entry.number, entry.name, "inconclusive", 0, 0, first)
    try:
        found = entry.look(view, ends)
    except Exception as exc:  # noqa: BLE001  a check that crashed must not pass, whatever crashed it
        first = f"the check itself failed: {type(exc).__name__}: {exc}"
        return Finding(entry.number, entry.name, "inconclusive", 0, 0, first)
    undated = _undated(view) if entry.number in BY_DATES else ""
    if found.rows and undated:
        first = f"{undated}: {found.rows[0][1]}"
        return Finding(entry.number, entry.name, "inconclusive", found.examined, 0, first)
    if found.rows:
        worst = max(found.rows, key=lambda row: row[0])[1]
        return Finding(
            entry.number, entry.name, "breached", found.examined, len(found.rows),
            found.rows[0][1], worst, found.rows[-1][1], _keys(found),
        )  # fmt: skip
    if not found.examined:
        first = "nothing was there to be examined"
        return Finding(entry.number, entry.name, "inconclusive", 0, 0, first)
    return Finding(entry.number, entry.name, "held", found.examined, 0)
