"""Which answers of other services may be believed: those whose status and body say the same. Pure.

Whoever answers half, nothing, or two things at once has said nothing: the call counts as one that
may have worked, and the ledger or the bank is asked again by whoever ends it.
"""

from mock_lender.http.wire import Reply

# What the ledger says a draw is, by the status that goes with it; all others come with a 200.
STATUS_OF_STATE = {"in-progress": 409, "no-money": 409, "key-reused": 422, "gone": 410}
RESERVED = {"bank": str, "tier": str, "try": int, "payout_key": str}


def decided(reply: Reply, version: str) -> bool:
    """Has risk or compliance decided? `version`: of the policy or the rules that it went by."""
    body = reply.body
    dated = type(body.get(version)) is int and type(body.get("decided_ns")) is int
    if reply.kind != "answer" or not dated:
        return False
    if reply.status == 200:
        return body.get("approved") is True
    return reply.status == 403 and body.get("approved") is False and "reason" in body


def state_of_draw(reply: Reply) -> str | None:
    """The state that the ledger says a draw is in; None when it has said nothing."""
    state = reply.body.get("state")
    if reply.kind != "answer" or not isinstance(state, str):
        return None
    if reply.status != STATUS_OF_STATE.get(state, 200):
        return None
    if state == "paying" and any(
        type(reply.body.get(key)) is not kind for key, kind in RESERVED.items()
    ):
        return None
    return state


def state_of_payout(reply: Reply) -> str | None:
    """`paid` or `closed`, as a bank that was to pay says it; None when it has said neither."""
    state = reply.body.get("state")
    if reply.kind == "answer" and (reply.status, state) in ((200, "paid"), (409, "closed")):
        return str(state)
    return None


def ended_as(reply: Reply, state: str) -> bool:
    """Does the ledger say that a try has ended in this state?"""
    return reply.ok and reply.body.get("state") == state
