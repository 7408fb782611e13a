"""Rules about what is left: ledger and banks agree, nothing is held, nothing was forgotten."""

from collections.abc import Sequence

from harness.evidence.rows import State
from harness.judge.audit_books import by_account
from harness.judge.ends import IntentEnd
from harness.judge.offences import Offences
from harness.judge.told import first_granted_ns
from harness.judge.view import RunView


def books_agree(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """7: each paid try is in its bank's book with its amount, and nothing else is."""
    banks = {tier.tier: tier.bank for tier in view.tiers}
    amounts = {draw.draw_key: draw.amount_fen for draw in view.draws}
    payouts = {payout.payout_key: payout for payout in view.payouts}
    closed = {tombstone.payout_key for tombstone in view.tombstones}
    found = Offences(examined=len(view.tries) + len(view.payouts))
    paid_tries = set()
    for one in view.tries:
        payout = payouts.get(one.payout_key)
        amount_fen = amounts.get(one.draw_key, 0)
        if one.state == "paid":
            paid_tries.add(one.payout_key)
            if payout is None:
                found.add(amount_fen, f"{one.payout_key}: paid in the ledger, not by the bank")
            elif (payout.bank, payout.amount_fen) != (banks.get(one.tier), amount_fen):
                found.add(amount_fen, f"{one.payout_key}: another bank or amount")
        elif payout is not None and one.state != "paying":  # still paying: rules 8 and 12
            found.add(payout.amount_fen, f"{one.payout_key}: {one.state}, paid by the bank")
    known = {one.payout_key for one in view.tries}
    for payout in view.payouts:
        if payout.payout_key not in known:
            found.add(payout.amount_fen, f"{payout.payout_key}: paid, unknown to the ledger")
        if payout.payout_key in closed:
            found.add(payout.amount_fen, f"{payout.payout_key}: closed for ever, and paid")
    return found


def no_hold_left(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """8: no money is held after the drain."""
    found = Offences()
    for kind in ("borrower", "tier"):
        for name, versions in by_account(view, kind).items():
            found.examined += 1
            if versions[-1].held_fen:
                left_fen = versions[-1].held_fen
                found.add(left_fen, f"{kind}:{name}: {left_fen} fen still held")
    return found


def survives_failover(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """10: every draw acknowledged before a change of the primary is in the ledger after it, and a
    server that is no longer the primary answers nothing.

    Broken by a copy that lacks what was acknowledged, and by an old primary that was not fenced.
    Examined are acknowledgements, and calls to databases; without a change of the primary there is
    nothing to examine.
    """
    found = Offences()
    _check_fenced(view, found)
    changes = [state.at_ns for state in view.states if is_failover(state)]
    if not changes:
        return found
    paid = {draw.draw_key for draw in view.draws if draw.state == "paid"}
    granted = first_granted_ns(view.attempts)
    before = {intent for intent, at_ns in granted.items() if at_ns <= max(changes)}
    for intent in view.intents.where(intent=before):
        found.examined += 1
        if intent.draw_key not in paid:
            found.add(intent.amount_fen, f"{intent.draw_key}: acknowledged, lost by failover")
    return found


def _check_fenced(view: RunView, found: Offences) -> None:
    """No call begun after another server became the primary was answered by the old one."""
    promoted = sorted(
        (state.at_ns, state.state.split()[1]) for state in view.states if is_failover(state)
    )
    for call in view.calls.where(edge="ledger->database", result="ok"):
        found.examined += 1
        # A call that began while there was none waits for the next, so its server may have become
        # the primary at any time until the answer.
        rightful = [server for at_ns, server in promoted if at_ns <= (call.done_ns or at_ns)]
        begun = [server for at_ns, server in promoted if at_ns <= call.start_ns]
        if begun and call.server not in (begun[-1], *rightful[len(begun) :]):
            found.add(
                0, f"{call.server} answered {call.client} although {begun[-1]} was the primary"
            )


def is_failover(state: State) -> bool:
    """Did another server become the primary, or the old one start again?"""
    return (
        state.kind == "database"
        and state.subject == "primary"
        and state.state.startswith(("promoted", "restarted"))
    )
