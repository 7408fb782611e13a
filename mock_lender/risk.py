"""Risk: dated policies. Borrowers with an overdue repayment are refused, for good; what else is
refused says the rule book: draws above an amount, and borrowers whose score is too low for the
market of the day.
"""

import csv
import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.clock import now_ns
from mock_lender.context import ServiceContext
from mock_lender.http.app import build_app, read_json
from mock_lender.rulebook import Entry, Rulebook, number_of

SCORE_MOST = 10_000


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /decide {borrower, amount_fen}`: 200 approved, 403 refused; both name the policy."""
    delinquent = delinquent_borrowers(Path(ctx.config.population_csv))
    book = Rulebook(ctx.rulebook_json, ctx.telemetry)

    async def decide(request: Request) -> Response:
        decided_ns = time.monotonic_ns()
        body = await read_json(request)
        policies = book.obeyed("risk", now_ns())
        reason = "delinquent" if body.get("borrower") in delinquent else refusal(body, policies)
        answer: dict[str, object] = {
            "approved": reason is None,
            "policy": number_of(policies),
            "decided_ns": decided_ns,
        }
        if reason is not None:
            answer["reason"] = reason
        return JSONResponse(answer, status_code=403 if reason is not None else 200)

    return build_app(ctx, [Route("/decide", decide, methods=["POST"])])


def refusal(body: dict[str, object], policies: Iterable[Entry]) -> str | None:
    """Why these policies refuse a draw, or None."""
    borrower, amount_fen = body.get("borrower"), body.get("amount_fen")
    for policy in policies:
        if policy.above_fen is not None and (
            isinstance(amount_fen, int) and amount_fen > policy.above_fen
        ):
            return "tightened"
        if policy.score_below is not None and score(borrower) < policy.score_below:
            return "market-stress"
    return None


def score(borrower: object) -> int:
    """0 to 9,999, spread evenly over the borrowers and always the same for one of them."""
    digest = hashlib.sha256(f"score/{borrower}".encode()).digest()
    return int.from_bytes(digest[:4]) * SCORE_MOST >> 32


def delinquent_borrowers(population_csv: Path) -> frozenset[int]:
    """Borrowers flagged delinquent in the population."""
    with population_csv.open(newline="") as rows:
        return frozenset(
            int(row["borrower"]) for row in csv.DictReader(rows) if row["delinquent"] == "1"
        )
