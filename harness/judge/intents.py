"""How each intent ended: the table of ends, one row an intent."""

from harness.clock import NS_PER_S
from harness.evidence.rows import DRAWING, Intent
from harness.judge.ends import End, IntentEnd
from harness.judge.oracle import Oracle
from harness.judge.told import first_granted_ns
from harness.judge.view import RunView


def judge_intents(view: RunView, oracle: Oracle) -> tuple[IntentEnd, ...]:
    """Every scheduled intent exactly once, in order."""
    granted = first_granted_ns(view.attempts)
    asked = set(view.attempts.where(kind=DRAWING, outcome="unknown").column("intent"))
    return tuple(
        _end(view, oracle, intent, granted.get(intent.intent), asked=intent.intent in asked)
        for intent in view.intents
    )


def _end(
    view: RunView, oracle: Oracle, intent: Intent, granted_ns: int | None, *, asked: bool
) -> IntentEnd:
    """`asked`: what was sent may have worked, and nobody has said."""
    deadline_ns = intent.due_ns + int(view.scenario.load.patience.deadline_s * NS_PER_S)
    paid_ns = oracle.paid_ns(intent.draw_key)
    draw = oracle.draw(intent.draw_key)
    no_ledger = bool({"draws", "tries"} & {*view.missing, *view.cut})
    unresolved = draw is not None and draw.state == "paying"
    unresolved = unresolved or (asked and no_ledger and granted_ns is None)
    in_time = granted_ns is not None and granted_ns <= deadline_ns
    late = not in_time and (granted_ns is not None or paid_ns is not None)
    promised, lawful = oracle.promised(intent), oracle.lawful(intent)
    return IntentEnd(
        intent=intent,
        promised=promised,
        lawful=lawful,
        end=end_of(
            promised=promised,
            withheld=oracle.withheld(intent),
            lawful=lawful,
            in_time=in_time,
            late=late or (unresolved and not in_time),
        ),
        granted_ns=granted_ns,
        paid_ns=paid_ns,
        unresolved=unresolved,
    )


def end_of(*, promised: bool, withheld: bool, lawful: bool, in_time: bool, late: bool) -> End:
    """The table of ends. `late` covers granted late, paid and never learned, and unresolved."""
    if promised and lawful:
        return "kept" if in_time else "broken_late" if late else "broken"
    if promised:
        return "wrongly_approved" if in_time or late else "broken"
    if withheld and lawful:
        return "granted_anyway" if in_time else "withheld"
    return "wrongly_approved" if in_time or late else "rightly_refused"
