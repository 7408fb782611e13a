"""Risk: one dated policy. Borrowers with an overdue repayment are refused, for good."""

import csv
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.context import ServiceContext
from mock_lender.http.app import build_app, read_json

POLICY = 1


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /decide {borrower, amount_fen}`: 200 approved, 403 refused; both name the policy."""
    delinquent = delinquent_borrowers(Path(ctx.config.population_csv))

    async def decide(request: Request) -> Response:
        decided_ns = time.monotonic_ns()
        body = await read_json(request)
        refused = body.get("borrower") in delinquent
        answer: dict[str, object] = {
            "approved": not refused,
            "policy": POLICY,
            "decided_ns": decided_ns,
        }
        if refused:
            answer["reason"] = "delinquent"
        return JSONResponse(answer, status_code=403 if refused else 200)

    return build_app(ctx, [Route("/decide", decide, methods=["POST"])])


def delinquent_borrowers(population_csv: Path) -> frozenset[int]:
    """Borrowers flagged delinquent in the population."""
    with population_csv.open(newline="") as rows:
        return frozenset(
            int(row["borrower"]) for row in csv.DictReader(rows) if row["delinquent"] == "1"
        )
