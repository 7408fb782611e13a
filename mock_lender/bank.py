"""A bank: pays each key at most once, slowly, and closes keys for ever when asked to."""

import asyncio
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.bank_book import Book
from mock_lender.context import ServiceContext
from mock_lender.http.app import build_app, read_json

KEY = re.compile(r"[A-Za-z0-9_.-]{1,200}")
STATUS = {"paid": 200, "closed": 409, "other": 422}


def book_path(work_dir: str, bank: str) -> Path:
    """Where a bank keeps its book."""
    return Path(work_dir) / f"{bank}.sqlite"


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /payouts {payout_key, draw_key, amount_fen}`, `POST /payouts/{key}/close`."""
    capacity = ctx.config.capacity
    slots = asyncio.Semaphore(capacity.bank_slots)
    books: list[Book] = []

    async def start() -> None:
        books.append(Book(book_path(ctx.config.work_dir, ctx.name)))

    async def stop() -> None:
        await asyncio.to_thread(books[0].stop)

    async def pay(request: Request) -> Response:
        body = await read_json(request)
        key, draw_key, amount_fen = (
            body.get("payout_key"), body.get("draw_key"), body.get("amount_fen"),
        )  # fmt: skip
        sound = isinstance(key, str) and KEY.fullmatch(key) and isinstance(draw_key, str)
        if not sound or type(amount_fen) is not int or amount_fen <= 0:
            raise HTTPException(422, "payout_key, draw_key, amount_fen")
        async with slots:
            await asyncio.sleep(capacity.bank_latency_s)
        state = await books[0].pay(str(key), str(draw_key), amount_fen)
        return JSONResponse({"state": state}, status_code=STATUS[state])

    async def close(request: Request) -> Response:
        key = request.path_params["key"]
        if not KEY.fullmatch(key):
            raise HTTPException(422, "payout_key")
        return JSONResponse({"state": await books[0].close_key(key)})

    routes = [
        Route("/payouts", pay, methods=["POST"]),
        Route("/payouts/{key}/close", close, methods=["POST"]),
    ]
    return build_app(ctx, routes, on_start=start, on_stop=stop)
