"""The rule about causes: a refusal is what it says it is."""

from collections.abc import Sequence

from harness.evidence.rows import DRAWING
from harness.judge.ends import IntentEnd
from harness.judge.grounds import Grounds
from harness.judge.offences import Offences
from harness.judge.view import RunView

TOLD = ("intent", "cause", "hop", "reason", "sent_ns", "done_ns")


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
    told = view.attempts.where(kind=DRAWING, outcome="refused")
    intents = {one.intent: one for one in view.intents.where(intent=set(told.column("intent")))}
    grounds = Grounds(view, intents.values())
    accused: set[tuple[int, str]] = set()
    for number, cause, hop, reason, sent_ns, done_ns in told.columns(*TOLD):
        intent = intents.get(number)
        if intent is None or cause is None or done_ns is None:
            continue
        true = grounds.bear_out(intent, cause, hop, sent_ns or intent.due_ns, done_ns)
        if true is None:
            continue
        found.examined += 1
        if not true and (number, cause) not in accused:
            accused.add((number, cause))
            found.add(
                intent.amount_fen,
                f"{intent.draw_key}: refused, cause {cause} at {hop} ({reason}), which is not so",
            )
    return found
