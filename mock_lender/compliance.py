"""Compliance: dated rules. Draws for a barred purpose are refused, for good; the rule book says
which purposes are barred besides those that always were.
"""

import time
from collections.abc import Collection, Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.clock import now_ns
from mock_lender.context import ServiceContext
from mock_lender.http.app import build_app, read_json
from mock_lender.rulebook import Entry, Rulebook, number_of
from mock_lender.shut import UNPUSHED, is_shut


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /check {borrower, purpose}`: 200 allowed, 403 forbidden; both name the rules."""
    barred = frozenset(ctx.config.barred_purposes)
    book = Rulebook(ctx.rulebook_json, ctx.telemetry)

    async def check(request: Request) -> Response:
        decided_ns = time.monotonic_ns()
        body = await read_json(request)
        purpose, rules = body.get("purpose"), book.obeyed("compliance", now_ns())
        forbidden = forbids(purpose, barred, rules)
        answer: dict[str, object] = {
            "approved": not forbidden,
            "rules": number_of(rules),
            "decided_ns": decided_ns,
            "revision": book.revision,
        }
        if forbidden:
            answer["reason"] = "purpose-barred"
        return JSONResponse(answer, status_code=403 if forbidden else 200)

    def counts() -> str:
        return f"rulebook_revision {book.revision}\nrulebook_reached {int(not is_shut(UNPUSHED))}\n"

    return build_app(ctx, [Route("/check", check, methods=["POST"])], counts=counts)


def forbids(purpose: object, barred: Collection[str], rules: Iterable[Entry]) -> bool:
    """Is a purpose one that always was barred, or that a rule forbids?"""
    return purpose in barred or any(rule.forbids == purpose for rule in rules)
