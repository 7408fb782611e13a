"""What a draw's state in the ledger is called when the borrower is told of it."""

from typing import Any

from starlette.responses import JSONResponse, Response

from mock_lender import believed
from mock_lender.http.problems import problem
from mock_lender.http.wire import Reply


def told(key: str, status: int, found: dict[str, Any]) -> Response:
    """What the ledger knows of a draw, as the borrower is told it."""
    state = found.get("state")
    if status == 404:
        return problem(404, cause="system", hop="gateway", reason="unknown-key")
    if state == "paid":
        return JSONResponse(granted(key, found))
    if state == "refused":
        return refused(found)
    if state == "expired":
        return JSONResponse({"outcome": "closed", "draw_key": key})
    if state in ("voided", "requested"):
        # So far. Not certain: a press that is still on its way begins the next try.
        return problem(503, cause="system", hop="ledger", reason="voided")
    return JSONResponse({"outcome": "in-progress", "draw_key": key}, status_code=202)


def told_of_close(key: str, reply: Reply) -> Response:
    """What became of a draw that its borrower gave up: closed for good, or what it had come to."""
    state = believed.state_of_draw(reply)
    if state is not None:
        if state == "key-reused":
            return problem(422, cause="system", hop="gateway", reason="key-reused", certain=True)
        return told(key, reply.status, dict(reply.body))
    return _not_done(reply)


def told_of_repayment(key: str, reply: Reply) -> Response:
    """What came of a repayment: done, refused for good, nothing happened, or not known."""
    state = reply.body.get("state")
    if state == "repaid":
        body = {
            "outcome": "repaid",
            "repay_key": key,
            "available_fen": reply.body["available_fen"],
        }
        return JSONResponse(body, status_code=201)
    if state == "refused":
        return problem(
            422, cause="quota", hop="ledger", reason="over-repaid", certain=True, final=True
        )
    if state == "key-reused":
        return problem(422, cause="system", hop="gateway", reason="key-reused", certain=True)
    return _not_done(reply)


def _not_done(reply: Reply) -> Response:
    """Nothing happened, for certain; or the ledger was asked, and it may have worked."""
    hop = str(reply.body.get("hop") or "ledger")
    if reply.kind == "not_sent" or (reply.status == 503 and reply.body.get("certain") is True):
        return problem(503, cause="system", hop=hop, reason="unreachable", certain=True)
    return problem(504, cause="system", hop=hop, reason="unknown")


def granted(key: str, found: dict[str, Any]) -> dict[str, Any]:
    """The body of a grant."""
    return {
        "outcome": "granted",
        "draw_key": key,
        "tier": found["tier"],
        "paid_ns": found["paid_ns"],
    }


def refused(found: dict[str, Any]) -> Response:
    """A final refusal, the same words each time it is asked for."""
    return problem(
        403,
        cause=str(found["cause"]),
        hop=str(found["hop"]),
        reason=str(found["reason"]),
        certain=True,
        final=True,
    )
