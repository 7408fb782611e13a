"""The ledger as a service: thin routes over the store, and the sweeper beside them."""

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.context import ServiceContext
from mock_lender.defects import AcknowledgeBeforeCommit, Books
from mock_lender.http.app import build_app, read_json
from mock_lender.http.client import HopClient
from mock_lender.ledger.store import Store
from mock_lender.ledger.sweeper import Sweeper

STATUS = {"in-progress": 409, "no-money": 409, "key-reused": 422}


class Ledger:
    """One replica's connections and tasks, made when it starts."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._store: Store | None = None
        self._client: HopClient | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._books: Books | None = None

    async def start(self) -> None:
        config = self._ctx.config
        self._store = await Store.open(
            self._ctx.database_dsn,
            config.capacity.ledger_connections,
            self._ctx.clock_offset_ns,
        )
        self._books = self._store
        if "acknowledge-before-commit" in config.defects:
            self._books = AcknowledgeBeforeCommit(self._store, config.tiers)
        self._client = HopClient(self._ctx)
        sweeper = Sweeper(self._ctx, self._store, self._client)
        self._sweeping = asyncio.create_task(sweeper.run())

    async def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._client is not None:
            await self._client.close()
        if self._store is not None:
            self._store.close()

    @property
    def books(self) -> Books:
        if self._books is None:
            raise HTTPException(503, "starting")
        return self._books


def create_app(ctx: ServiceContext) -> ASGIApp:
    """Routes `/reserve`, `/refuse`, `/post`, `/void`, `/draws/{key}`, `/borrowers/{id}/quota`."""
    ledger = Ledger(ctx)

    async def reserve(request: Request) -> Response:
        return _told(await ledger.books.reserve(await read_json(request)))

    async def refuse(request: Request) -> Response:
        return _told(await ledger.books.refuse(await read_json(request)))

    async def post(request: Request) -> Response:
        body = await read_json(request)
        client = request.headers.get("x-client", "")
        found = await ledger.books.post(body["draw_key"], body["try"], client)
        return JSONResponse(found, status_code=200 if found["state"] == "paid" else 409)

    async def void(request: Request) -> Response:
        body = await read_json(request)
        found = await ledger.books.void(body["draw_key"], body["try"], body["why"], body["gateway"])
        return JSONResponse(found, status_code=200 if found["state"] == "voided" else 409)

    async def draw(request: Request) -> Response:
        found = await ledger.books.draw(request.path_params["key"])
        if found is None:
            return JSONResponse({"state": "unknown"}, status_code=404)
        return JSONResponse(found)

    async def quota(request: Request) -> Response:
        borrower = request.path_params["borrower"]
        found = await ledger.books.quota(borrower) if borrower < 2**31 else None
        if found is None:
            return JSONResponse({"state": "unknown"}, status_code=404)
        return JSONResponse(found)

    routes = [
        Route("/reserve", reserve, methods=["POST"]),
        Route("/refuse", refuse, methods=["POST"]),
        Route("/post", post, methods=["POST"]),
        Route("/void", void, methods=["POST"]),
        Route("/draws/{key}", draw, methods=["GET"]),
        Route("/borrowers/{borrower:int}/quota", quota, methods=["GET"]),
    ]
    return build_app(ctx, routes, on_start=ledger.start, on_stop=ledger.stop)


def _told(found: dict[str, Any]) -> Response:
    return JSONResponse(found, status_code=STATUS.get(found["state"], 200))
