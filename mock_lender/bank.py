"""A bank: pays each key at most once, slowly, and closes keys for ever when asked to.

Some banks can't close: they refuse what reaches their book after the payout's own `not_after_ns`,
and tell whether a key was paid. In a window of its own a bank pays nothing: it refuses what comes
for ever, and goes on to close and to tell. A bank that has gone refuses what it is at, too. What is
more than it may pay in a minute it refuses as well.
"""

import asyncio
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.bank_book import Book
from mock_lender.clock import now_ns
from mock_lender.context import ServiceContext
from mock_lender.defects.bank import book_of
from mock_lender.http.app import build_app, read_json
from mock_lender.http.slots import Slots
from mock_lender.resilience.money import MoneyBound
from mock_lender.rulebook import Rulebook

KEY = re.compile(r"[A-Za-z0-9_.-]{1,200}")
STATUS = {"paid": 200, "closed": 409, "other": 422}


def book_path(work_dir: str, bank: str) -> Path:
    """Where a bank keeps its book."""
    return Path(work_dir) / f"{bank}.sqlite"


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /payouts {payout_key, draw_key, amount_fen, not_after_ns, bank}`, `GET /payouts/{key}`
    (with the moment, by this bank's clock, from which on it is true), `POST /payouts/{key}/close`.
    """
    mine = [tier for tier in ctx.config.tiers if tier.bank == ctx.name]
    closes = all(tier.closes for tier in mine)
    tiers = frozenset(tier.tier for tier in mine)
    bound = bound_of(ctx, sum(tier.money_bound_fen for tier in mine))
    rules = Rulebook(ctx.rulebook_json, ctx.telemetry)
    capacity = ctx.config.capacity
    slots = Slots(capacity.bank_slots)
    books: list[Book] = []

    async def start() -> None:
        path = book_path(ctx.config.work_dir, ctx.name)
        books.append(book_of(path, ctx.config.defects))

    async def stop() -> None:
        await asyncio.to_thread(books[0].stop)

    def shut(kind: str) -> bool:
        return any(one.tier in tiers for one in rules.obeyed(kind, now_ns()))

    async def pay(request: Request) -> Response:
        body = await read_json(request)
        key, draw_key, amount_fen = (
            body.get("payout_key"), body.get("draw_key"), body.get("amount_fen"),
        )  # fmt: skip
        not_after_ns = body.get("not_after_ns")
        sound = isinstance(key, str) and KEY.fullmatch(key) and isinstance(draw_key, str)
        if body.get("bank", ctx.name) != ctx.name:
            # Whoever means another bank has its address wrong; that one alone can close the key.
            raise HTTPException(422, "bank: this is another one")
        if shut("window") or shut("gone"):
            state = await books[0].close_key(str(key)) if sound else "closed"
            return JSONResponse({"state": state}, status_code=STATUS[state])
        if not sound or type(amount_fen) is not int or amount_fen <= 0:
            raise HTTPException(422, "payout_key, draw_key, amount_fen")
        if not_after_ns is None and not closes:
            raise HTTPException(422, "not_after_ns: this bank can't close a key")
        async with slots:
            await asyncio.sleep(capacity.bank_latency_s)
        if not shut("gone") and within(ctx, bound, amount_fen):
            state = await books[0].pay(str(key), str(draw_key), amount_fen, not_after_ns)
        else:
            state = await books[0].close_key(str(key))
        return JSONResponse({"state": state}, status_code=STATUS[state])

    async def close(request: Request) -> Response:
        if not closes:
            raise HTTPException(405, "this bank can't close a key")
        return JSONResponse({"state": await books[0].close_key(key_of(request))})

    async def look_up(request: Request) -> Response:
        state, as_of_ns = await books[0].look_up(key_of(request))
        return JSONResponse({"state": state, "as_of_ns": as_of_ns})

    routes = [
        Route("/payouts", pay, methods=["POST"]),
        Route("/payouts/{key}", look_up, methods=["GET"]),
        Route("/payouts/{key}/close", close, methods=["POST"]),
    ]
    more = str if bound is None else bound.metrics
    return build_app(
        ctx, routes, slots=slots, every_call=False, more=more, on_start=start, on_stop=stop
    )


def key_of(request: Request) -> str:
    """Raises HTTPException 422."""
    key = str(request.path_params["key"])
    if not KEY.fullmatch(key):
        raise HTTPException(422, "payout_key")
    return key


def within(ctx: ServiceContext, bound: MoneyBound | None, amount_fen: int) -> bool:
    """May so much be paid out now? It counts as paid then."""
    if bound is None:
        return True
    was_tripped, paid = bound.tripped, bound.take(amount_fen)
    if bound.tripped != was_tripped:
        ctx.telemetry.state("money_bound", ctx.name, "within" if paid else "tripped")
    return paid


def bound_of(ctx: ServiceContext, fen_per_minute: int) -> MoneyBound | None:
    """None: this bank pays out whatever it is asked for."""
    return MoneyBound(fen_per_minute) if fen_per_minute and ctx.on("money_bound") else None
