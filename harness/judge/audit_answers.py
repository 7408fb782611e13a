"""Rules about what borrowers were told, against what the ledger and the banks did."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.evidence.rows import DRAWING, Attempt
from harness.judge import audit_repayments
from harness.judge.clocks import clock_error_ns
from harness.judge.ends import IntentEnd
from harness.judge.offences import Offences
from harness.judge.view import RunView

# What an answer may be followed by. An unknown may become anything; a certain failure may be
# followed by the next try; what is final stays.
FINAL = ("granted", "refused")


def acknowledged_once(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """1: acknowledged means in the ledger, once, with the same borrower and amount; draws, and
    repayments too."""
    found = Offences()
    draws = {draw.draw_key: draw for draw in view.draws}
    times = Counter(draw.draw_key for draw in view.draws)
    told = view.attempts.where(kind=DRAWING, outcome="granted").column("intent")
    for intent in view.intents.where(intent=set(told)):
        found.examined += 1
        draw = draws.get(intent.draw_key)
        if draw is None:
            found.add(intent.amount_fen, f"{intent.draw_key}: granted, not in the ledger")
        elif draw.state != "paid":
            found.add(intent.amount_fen, f"{intent.draw_key}: granted, {draw.state} in the ledger")
        elif (draw.borrower, draw.amount_fen) != (intent.borrower, intent.amount_fen):
            found.add(
                intent.amount_fen, f"{intent.draw_key}: granted to another borrower or amount"
            )
        elif times[intent.draw_key] > 1:
            found.add(intent.amount_fen, f"{intent.draw_key}: in the ledger more than once")
    audit_repayments.acknowledged(view, found)
    return found


def nothing_unasked(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """2: nothing in the ledger or at a bank that nobody asked for."""
    asked = {*view.intents.column("draw_key"), *view.unoffered_keys}
    found = Offences(examined=len(view.draws) + len(view.payouts))
    for draw in view.draws:
        if draw.draw_key not in asked:
            found.add(draw.amount_fen, f"{draw.draw_key}: in the ledger, asked for by nobody")
    for payout in view.payouts:
        if payout.draw_key not in asked:
            found.add(payout.amount_fen, f"{payout.payout_key}: paid by {payout.bank}, unasked")
    audit_repayments.unasked(view, found)
    return found


def one_payout(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """3: one intent, at most one payout, over all its tries and all banks."""
    payouts: dict[str, list[str]] = defaultdict(list)
    for payout in view.payouts:
        payouts[payout.draw_key].append(payout.payout_key)
    again = [key for key, mine in payouts.items() if len(mine) > 1]
    found = Offences(examined=len(view.intents))
    for intent in view.intents.where(draw_key=again):
        mine = payouts[intent.draw_key]
        found.add(intent.amount_fen, f"{intent.draw_key}: paid {len(mine)} times: {mine}")
    return found


def answers_true(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """9: what was refused or certainly failed was not paid, and what is final never changes."""
    found = Offences()
    paid = {draw.draw_key for draw in view.draws if draw.state == "paid"}
    # What a worker on another machine has dated is not known better than its clock is.
    error_ns = clock_error_ns(view)
    paid_ns = {key: at_ns + error_ns for key, at_ns in _paid_out_ns(view).items()}
    told: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in view.attempts.where(kind=DRAWING):
        told[attempt.intent].append(attempt)
    for intent in view.intents:
        mine = sorted(told[intent.intent], key=lambda a: (a.done_ns or 0, a.n))
        if not mine:
            continue
        found.examined += len(mine)
        outcomes = [a.outcome for a in mine]
        finals = [_final(a) for a in mine if _final(a)]
        if len(set(finals)) > 1:
            found.add(
                intent.amount_fen, f"{intent.draw_key}: told {' then '.join(map(str, finals))}"
            )
        if finals and finals[0] == "refused" and intent.draw_key in paid:
            found.add(intent.amount_fen, f"{intent.draw_key}: refused for good, and paid")
        if set(outcomes) == {"failed"} and intent.draw_key in paid:
            found.add(intent.amount_fen, f"{intent.draw_key}: failed for certain, and paid")
        if _denied(mine, paid_ns.get(intent.draw_key)):
            found.add(intent.amount_fen, f"{intent.draw_key}: told voided after it was paid")
    audit_repayments.answers(view, found)
    return found


def _paid_out_ns(view: RunView) -> dict[str, int]:
    """When the banks paid the tries that the ledger says are paid."""
    paid = {one.payout_key: one.draw_key for one in view.tries if one.state == "paid"}
    return {paid[p.payout_key]: p.paid_ns for p in view.payouts if p.payout_key in paid}


def _denied(told: Sequence[Attempt], paid_ns: int | None) -> bool:
    """Did a poll that was sent after the bank had paid say that nothing has happened?

    A bank is asked only after its try was committed, so a true status could not have been older
    than that. A press says it of itself alone: another press of the key may still be at work.
    """
    return paid_ns is not None and any(
        a.kind == "poll" and a.reason == "voided" and a.sent_ns is not None and a.sent_ns > paid_ns
        for a in told
    )


def _final(attempt: Attempt) -> str | None:
    """granted, or refused for good (no money for the moment is not)."""
    if attempt.outcome == "granted":
        return "granted"
    if attempt.outcome == "refused" and attempt.cause != "liquidity":
        return "refused"
    return None


def resolved(view: RunView, ends: Sequence[IntentEnd]) -> Offences:
    """12: every unknown is resolved by the end of the drain."""
    found = Offences(examined=len(ends) if view.attempts else 0)
    for end in ends:
        if end.unresolved:
            found.add(end.intent.amount_fen, f"{end.intent.draw_key}: still not known")
    for one in view.tries:
        if one.state == "paying":
            found.add(0, f"{one.payout_key}: still paying")
    return found


def approved_rightly(view: RunView, ends: Sequence[IntentEnd]) -> Offences:
    """13: nothing approved that had to be refused, judged by the ledger."""
    found = Offences(examined=len(view.draws) and len(ends))
    for end in ends:
        if end.end == "wrongly_approved":
            found.add(end.intent.amount_fen, f"{end.intent.draw_key}: approved, had to be refused")
    return found
