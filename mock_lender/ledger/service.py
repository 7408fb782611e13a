"""The ledger as a service: thin routes over the store, and the sweeper beside them."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.believed import STATUS_OF_STATE
from mock_lender.context import ServiceContext
from mock_lender.defects.books import books_of
from mock_lender.defects.failover import database_of
from mock_lender.defects.sweeper import sweeper_of
from mock_lender.http.app import build_app, read_json
from mock_lender.http.client import HopClient
from mock_lender.http.problems import problem
from mock_lender.ledger.books import Books
from mock_lender.ledger.database import ContendedError, NoPrimaryError, StoreError
from mock_lender.ledger.funding import plan_of
from mock_lender.ledger.store import Store
from mock_lender.ledger.treasurer import Treasurer
from mock_lender.places import round_trip_s
from mock_lender.quota import lowered
from mock_lender.resilience.admission import Admission
from mock_lender.rulebook import Rulebook
from mock_lender.scorecard import Scorecard

FACTS = ("draw_key", "borrower", "amount_fen", "purpose", "body_hash")
LANE_CONNECTIONS = 2
PRIMARY_AT_START_S = 15.0


class Ledger:
    """One replica's connections and tasks, made when it starts."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        config = ctx.config
        database = database_of(config.defects, ctx.name)
        self._main = database(
            ctx.witness_json, ctx.access, config.capacity.ledger_connections, ctx.telemetry
        )
        self._lane = database(ctx.witness_json, ctx.access, LANE_CONNECTIONS, ctx.telemetry)
        for one in (self._main, self._lane):
            one.way_s = self._way_s
        self._client: HopClient | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._books: Books | None = None
        self._rules = Rulebook(ctx.rulebook_json, ctx.telemetry)
        settings = ctx.settings
        self.terms = {
            "retention_ns": int(config.key_retention_s * 1e9),
            "look_after_ns": int(settings.sweeper_first_look_s * 1e9),
            "pay_within_ns": int(settings.payout_timeout_s * 1e9),
            "fall_through": ctx.on("tier_fallthrough"),
            "rebalance": ctx.on("fine_allocation"),
        }
        self._reserved: Counter[str] = Counter()
        self._treasurer: Treasurer | None = None

    def _way_s(self, server: str, both: bool) -> float:
        """The standby is at the other site."""
        config = self._ctx.config
        between_s = config.site_round_trip_s if both else 0.0
        return round_trip_s(self._ctx.name, server, config) + between_s

    async def start(self) -> None:
        config = self._ctx.config
        takes = config.capacity
        store = Store(
            self._main, self._ctx.clock_offset_ns, takes.quota_latency_s, takes.status_latency_s
        )
        self._books = books_of(store, config)
        self._client = HopClient(self._ctx)
        lane = Store(self._lane, self._ctx.clock_offset_ns)
        sweeper = sweeper_of(config.defects)(self._ctx, lane, self._client)
        plan = plan_of(config) if self._ctx.on("funding_plan") else ()
        self._treasurer = Treasurer(plan, lane, self._ctx.telemetry)
        self._tasks = [
            asyncio.create_task(work)
            for work in (
                self._main.follow(),
                self._lane.follow(),
                sweeper.run(),
                self._treasurer.run(),
            )
        ]
        await self._main.there(PRIMARY_AT_START_S)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._client is not None:
            await self._client.close()
        self._main.close()
        self._lane.close()

    def out(self) -> list[str]:
        """Tiers that nothing is drawn from now."""
        obeyed = self._rules.obeyed("tier", time.monotonic_ns())
        return sorted({str(one.tier) for one in obeyed})

    def spared(self) -> list[str]:
        """Tiers that are drawn from last, for their money is running out; none where a draw has one
        tier alone."""
        if not self.terms["fall_through"]:
            return []
        return sorted({str(one.tier) for one in self._rules.obeyed("spare", time.monotonic_ns())})

    def shown(self, borrower: int, quota: dict[str, Any]) -> dict[str, Any]:
        """A quota as its borrower is shown it: what is left of it by the policies that borrowers
        have been told of. One that nobody was told of leaves it as it was."""
        policies = self._rules.told("risk", time.monotonic_ns())
        return lowered(quota, borrower, policies, self._scorecard) if policies else quota

    @cached_property
    def _scorecard(self) -> Scorecard:
        """Read when it is first needed, which in most lenders is never."""
        return Scorecard(self._ctx.features_csv)

    async def reserve(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Reserve, and count what it has come to."""
        # What the law bars, the press was told by compliance, which has dated it.
        out = {"out": sorted({*self.out(), *body.get("not_from", ())})}
        asked = {**body, **self.terms, **out, "spare": self.spared()}
        found = await self.books.reserve(asked)
        self._reserved[str(found.get("tier") or found["state"])] += 1
        self._reserved["gathered"] += found.get("gathered") is True
        return found

    def more(self) -> str:
        """For the metrics: reservations by tier, what the protections of money have done, and those
        of its calls."""
        tiers = (one.tier for one in self._ctx.config.tiers)
        by_tier = (f'reserved_total{{tier="{one}"}} {self._reserved[one]}\n' for one in tiers)
        hours = 0 if self._treasurer is None else self._treasurer.hour + 1
        return (
            f"{''.join(by_tier)}no_money_total {self._reserved['no-money']}\n"
            f"fine_allocation_gathered_total {self._reserved['gathered']}\n"
            f"funding_plan_hours {hours}\n"
            f"{'' if self._client is None else self._client.metrics()}"
        )

    @property
    def books(self) -> Books:
        if self._books is None:
            raise HTTPException(503, "starting")
        return self._books


def create_app(ctx: ServiceContext) -> ASGIApp:
    """A route for each of the books' transactions, and looks at what they say."""
    ledger = Ledger(ctx)

    async def reserve(request: Request) -> Response:
        body = await asked(request, *FACTS, "nonce", "avoid", "gateway")
        return _told(await ledger.reserve(body))

    async def refuse(request: Request) -> Response:
        body = await asked(request, *FACTS, "cause", "hop", "reason")
        return _told(await ledger.books.refuse(body | ledger.terms))

    async def close(request: Request) -> Response:
        return _told(await ledger.books.close(await asked(request, *FACTS)))

    async def repay(request: Request) -> Response:
        body = await asked(request, "repay_key", "borrower", "amount_fen")
        values = (body["repay_key"], body["borrower"], body["amount_fen"])
        return _told(await ledger.books.repay(*values))

    async def post(request: Request) -> Response:
        body = await asked(request, "draw_key", "try")
        client = request.headers.get("x-client", "")
        found = await ledger.books.post(body["draw_key"], body["try"], client)
        return JSONResponse(found, status_code=200 if found["state"] == "paid" else 409)

    async def void(request: Request) -> Response:
        body = await asked(request, "draw_key", "try", "why", "gateway")
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
        return JSONResponse(ledger.shown(borrower, found))

    async def tiers(_: Request) -> Response:
        return JSONResponse({"available_fen": await ledger.books.tiers(), "out": ledger.out()})

    async def time_of_day(_: Request) -> Response:
        return JSONResponse({"now_ns": await ledger.books.now_ns()})

    routes = [
        Route("/reserve", reserve, methods=["POST"]),
        Route("/refuse", refuse, methods=["POST"]),
        Route("/post", post, methods=["POST"]),
        Route("/void", void, methods=["POST"]),
        Route("/close", close, methods=["POST"]),
        Route("/repay", repay, methods=["POST"]),
        Route("/draws/{key}", draw, methods=["GET"]),
        Route("/borrowers/{borrower:int}/quota", quota, methods=["GET"]),
        Route("/tiers", tiers, methods=["GET"]),
        Route("/clock", time_of_day, methods=["GET"]),
    ]
    troubles = {StoreError: unknown, NoPrimaryError: nothing_done, ContendedError: nothing_done}
    # One each connection: more at once would only wait for one.
    most = ctx.config.capacity.ledger_connections
    slots = Admission(most, ctx.settings, quick=False) if ctx.on("admission") else None
    return build_app(
        ctx, routes, slots=slots, more=ledger.more, on_start=ledger.start, on_stop=ledger.stop,
        troubles=troubles,
    )  # fmt: skip


async def asked(request: Request, *needed: str) -> dict[str, Any]:
    """The body, which must have all that is needed. Raises HTTPException."""
    body = await read_json(request)
    missing = [name for name in needed if name not in body]
    if missing:
        raise HTTPException(422, f"{', '.join(missing)}: needed")
    return body


def unknown(_: Request, __: Exception) -> Response:
    """The database went away with the statement: it may have committed."""
    return problem(504, cause="system", hop="database", reason="unknown")


def nothing_done(_: Request, exc: Exception) -> Response:
    """Nothing was asked of the database, or it has undone all of it."""
    reason = "no-primary" if isinstance(exc, NoPrimaryError) else "contended"
    return problem(503, cause="system", hop="database", reason=reason, certain=True)


def _told(found: dict[str, Any]) -> Response:
    return JSONResponse(found, status_code=STATUS_OF_STATE.get(found["state"], 200))
