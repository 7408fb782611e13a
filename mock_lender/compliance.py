"""Compliance: one dated rule set. Draws for a barred purpose are refused, for good."""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.context import ServiceContext
from mock_lender.http.app import build_app, read_json

RULES = 1


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /check {borrower, purpose}`: 200 allowed, 403 forbidden; both name the rules."""
    barred = frozenset(ctx.config.barred_purposes)

    async def check(request: Request) -> Response:
        decided_ns = time.monotonic_ns()
        body = await read_json(request)
        forbidden = body.get("purpose") in barred
        answer: dict[str, object] = {
            "approved": not forbidden,
            "rules": RULES,
            "decided_ns": decided_ns,
        }
        if forbidden:
            answer["reason"] = "purpose-barred"
        return JSONResponse(answer, status_code=403 if forbidden else 200)

    return build_app(ctx, [Route("/check", check, methods=["POST"])])
