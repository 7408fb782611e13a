"""The rule about causes: a refusal is what it says it is."""

from collections.abc import Sequence

from harness.evidence.rows import DRAWING, Intent
from harness.judge.ends import IntentEnd
from harness.judge.grounds import Grounds
from harness.judge.offences import Offences
from harness.judge.view import RunView

TOLD = """
SELECT i.*, a.cause, a.hop, a.reason, coalesce(a.sent_ns, i.due_ns), a.done_ns
FROM attempts a JOIN intents i USING (intent)
WHERE a.kind IN ('press', 'poll', 'close') AND a.outcome = 'refused' AND a.cause IS NOT NULL
    AND a.done_ns IS NOT NULL
ORDER BY a.intent, a.done_ns, a.kind, a.n
"""


def told_a_cause(view: RunView) -> bool:
    """Was anybody refused? What fails names a part of the system, and no decision."""
    return bool(view.attempts.where(kind=DRAWING, outcome="refused"))


def cause_true(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """11: the cause that a borrower was refused for is the true one.

    Broken by a system fault that is sold as a decision: refused by risk or compliance although
    that service has not said no, or no policy that the lender obeyed is against the draw; for quota
    that the account had; for money that a tier had all the time; or for good, for a failure.
    Examined are answers that refuse and name a cause, where whoever decides has written down what
    it did.
    """
    found = Offences()
    width = len(Intent._fields)
    told = [(Intent._make(row[:width]), *row[width:]) for row in view.books.ask(TOLD)]
    grounds = Grounds(view, dict.fromkeys(intent for intent, *_ in told))
    accused: set[tuple[int, str]] = set()
    for intent, cause, hop, reason, sent_ns, done_ns in told:
        true = grounds.bear_out(intent, cause, hop, sent_ns, done_ns)
        if true is None:
            continue
        found.examined += 1
        if not true and (intent.intent, cause) not in accused:
            accused.add((intent.intent, cause))
            found.add(
                intent.amount_fen,
                f"{intent.draw_key}: refused, cause {cause} at {hop} ({reason}), which is not so",
            )
    return found
