"""The console's routes. Whatever is taken here is a lease: it ends by itself, should nobody come.

    PUT    /holds/NAME   {kind, lease_s, ...}   take; the answer has facts about it; 503: perhaps
    DELETE /holds/NAME                          release; 404 when there is none
    GET    /holds                               names
    GET    /commits?for_s=0.5                   how long commits of our own take
    GET    /locks/ACCOUNT                       can a session of our own lock a row of it?

    GET    /rules                               names of the rules in force
    PUT    /dates                               {DATE: {at_ns, partners_stop}}: when dates begin
    GET    /limits/TIER                         what may be drawn from it in an hour, in a day
    GET    /repayments/NAME                     how many of a mass repayment were taken

All need the run's token. Kinds: connections, lock, lag, flush, drain, limits, repayments, rules,
date.
"""

import asyncio
import hmac
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from statistics import median
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.cluster.replication import LOST
from mock_lender.console.calendar import BeganDate, Calendar
from mock_lender.console.hold import Hold, RefusedError
from mock_lender.console.limits import Cut, told
from mock_lender.console.money import Drain, MassRepayment, repaid
from mock_lender.console.sessions import Crowd, RowLock, locked
from mock_lender.console.slowness import Lag, SlowFlush, commits_s
from mock_lender.context import ServiceContext
from mock_lender.http.app import metric_lines, protection_lines
from mock_lender.rulebook import KINDS, TooSlowError, Wanted, Writer, read
from mock_lender.scorecard import Scorecard
from mock_lender.warning.watcher import Watcher

HOLDS_MAX = 32
LEASE_S_MAX = 7200.0
RELEASE_AGAIN_S = 0.5
COMMITS_S_MAX = 2.0
AWAY = (*LOST, TimeoutError, TooSlowError)


class Rules:
    """Entries of the rule book under one name."""

    def __init__(self, writer: Writer, name: str, wanted: tuple[Wanted, ...]) -> None:
        self._writer = writer
        self._name = name
        self._wanted = wanted

    async def take(self) -> dict[str, object]:
        entries = self._writer.publish(self._name, self._wanted)
        return {"numbers": [entry.number for entry in entries]}

    async def release(self) -> None:
        self._writer.withdraw(self._name)


class Console:
    """What is held, by name, and until when."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._writer = Writer(ctx.rulebook_json)
        self._scorecard: Scorecard | None = None
        self.calendar = Calendar(ctx, self._writer)
        self.watcher = (
            Watcher(ctx, self._writer, self.calendar) if ctx.on("early_warning") else None
        )
        self._holds: dict[str, Hold] = {}
        self._leases: dict[str, asyncio.Task[None]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, name: str, body: Mapping[str, Any]) -> dict[str, object]:
        """Raises RefusedError, AWAY."""
        lease_s = float(body["lease_s"])
        if not 0 < lease_s <= LEASE_S_MAX:
            raise RefusedError(422, f"lease_s: above 0, up to {LEASE_S_MAX:g}")
        hold = self._made(name, body, lease_s)
        # Whoever releases it while it is being taken has to wait, or would find nothing.
        async with self._turns[name]:
            if name in self._holds or len(self._holds) >= HOLDS_MAX:
                raise RefusedError(409, "held already, or too much is held")
            try:
                facts = await hold.take()
            except AWAY:
                # All of it, or a part, may have been done and only its answer lost: it is held
                # until it has been undone.
                self._keep(name, hold, lease_s)
                raise
            self._keep(name, hold, lease_s)
            return facts

    def _keep(self, name: str, hold: Hold, lease_s: float) -> None:
        self._holds[name] = hold
        self._leases[name] = asyncio.create_task(self._end_by_itself(name, hold, lease_s))

    def _made(self, name: str, body: Mapping[str, Any], lease_s: float) -> Hold:
        kind = body["kind"]
        if kind == "connections":
            return Crowd(self._ctx, lease_s, pooled=body["pooled"] is True)
        if kind == "lock":
            return RowLock(self._ctx, str(body["account"]), lease_s)
        if kind == "lag":
            return Lag(self._ctx, float(body["lag_s"]))
        if kind == "flush":
            return SlowFlush(self._ctx, float(body["delay_s"]))
        if kind == "drain":
            return Drain(self._ctx, str(body["tier"]), float(body["share"]))
        if kind == "limits":
            return Cut(self._ctx, str(body["tier"]), str(body["limit"]), float(body["to"]))
        if kind == "repayments":
            return MassRepayment(self._ctx, name, float(body["rate_per_s"]))
        if kind == "rules":
            wanted = tuple(self._wanted(entry, lease_s) for entry in body["entries"])
            return Rules(self._writer, name, wanted)
        if kind == "date":
            stop = body["partners_stop"] is True
            return BeganDate(self.calendar, self._writer, str(body["date"]), stop=stop)
        raise RefusedError(422, f"no kind {kind!r}")

    def _wanted(self, body: Mapping[str, Any], lease_s: float) -> Wanted:
        """A policy by a share of the borrowers (`score_share`) becomes one by their scores. Raises
        RefusedError, TypeError."""
        if body.get("kind") not in KINDS:
            raise RefusedError(422, f"an entry's kind: one of {', '.join(KINDS)}")
        given = {key: body[key] for key in body if key != "score_share"}
        if "score_share" in body:
            if self._scorecard is None:
                self._scorecard = Scorecard(self._ctx.features_csv)
            given["score_below"] = self._scorecard.below_for(float(body["score_share"]))
        return Wanted(**given, lease_s=lease_s)

    async def _end_by_itself(self, name: str, hold: Hold, lease_s: float) -> None:
        await asyncio.sleep(lease_s)
        while self._holds.get(name) is hold:
            with suppress(*AWAY, RefusedError):
                await self.release(name)
            await asyncio.sleep(RELEASE_AGAIN_S)

    async def release(self, name: str) -> bool:
        """False: nothing is held under this name. What could not be released stays held."""
        async with self._turns[name]:
            hold = self._holds.get(name)
            if hold is None:
                return False
            await hold.release()
            del self._holds[name]
            lease = self._leases.pop(name)
            if lease is not asyncio.current_task():
                lease.cancel()
            return True

    async def release_all(self) -> None:
        for name in list(self._holds):
            with suppress(*AWAY, RefusedError):
                await self.release(name)

    def names(self) -> list[str]:
        return sorted(self._holds)

    def in_force(self) -> list[str]:
        """Names of the compliance rules that are law now, obeyed or not."""
        now_ns = time.monotonic_ns()
        return [
            entry.name
            for entry in read(self._ctx.rulebook_json)
            if entry.kind == "compliance" and entry.in_force(now_ns)
        ]


def create_app(ctx: ServiceContext) -> ASGIApp:
    """The console of one lender."""
    console = Console(ctx)

    async def take(request: Request) -> Response:
        body = json.loads(await request.body())
        if not isinstance(body, dict):
            raise RefusedError(422, "an object")
        return JSONResponse(await console.take(request.path_params["name"], body), status_code=201)

    async def release(request: Request) -> Response:
        held = await console.release(request.path_params["name"])
        return JSONResponse({}, status_code=200 if held else 404)

    async def names(_: Request) -> Response:
        return JSONResponse({"holds": console.names()})

    async def commits(request: Request) -> Response:
        for_s = min(float(request.query_params["for_s"]), COMMITS_S_MAX)
        took = await commits_s(ctx, for_s)
        of_all = {"median_s": median(took), "longest_s": max(took)}
        return JSONResponse({**of_all, "commits": len(took)})

    async def repayments(request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse({"held": name in console.names(), "repaid": await repaid(ctx, name)})

    async def limits(request: Request) -> Response:
        return JSONResponse(await told(ctx, request.path_params["tier"]))

    async def rules(_: Request) -> Response:
        return JSONResponse({"in_force": console.in_force()})

    async def dates(request: Request) -> Response:
        console.calendar.all_of(json.loads(await request.body()))
        return JSONResponse({})

    async def locks(request: Request) -> Response:
        return JSONResponse({"locked": await locked(ctx, request.path_params["account"])})

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def metrics(_: Request) -> Response:
        figures = {} if console.watcher is None else console.watcher.figures()
        return PlainTextResponse(protection_lines(ctx) + metric_lines(figures))

    def guarded(work: Callable[[Request], Awaitable[Response]]) -> Callable[..., Any]:
        return _with_token(ctx.config.token, work)

    return Starlette(
        routes=[
            Route("/holds/{name:path}", guarded(take), methods=["PUT"]),
            Route("/holds/{name:path}", guarded(release), methods=["DELETE"]),
            Route("/holds", guarded(names), methods=["GET"]),
            Route("/commits", guarded(commits), methods=["GET"]),
            Route("/rules", guarded(rules), methods=["GET"]),
            Route("/dates", guarded(dates), methods=["PUT"]),
            Route("/limits/{tier}", guarded(limits), methods=["GET"]),
            Route("/repayments/{name:path}", guarded(repayments), methods=["GET"]),
            Route("/locks/{account:path}", guarded(locks), methods=["GET"]),
            Route("/metrics", metrics),
            Route("/healthz", health),
            Route("/readyz", health),
        ],
        lifespan=_lifespan(console),
    )


def _lifespan(console: Console) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        console.calendar.begin()
        watcher = console.watcher
        watching = None if watcher is None else asyncio.create_task(watcher.run())
        yield
        if watching is not None:
            watching.cancel()
        await console.release_all()

    return lifespan


def _with_token(
    token: str, work: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """The same work for who has the token; what can't be done is said as JSON."""

    async def checked(request: Request) -> Response:
        given = request.headers.get("x-token", "")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return JSONResponse({"why": "X-Token"}, status_code=403)
        try:
            return await work(request)
        except RefusedError as exc:
            return JSONResponse({"why": str(exc)}, status_code=exc.status)
        except (ValueError, KeyError, TypeError) as exc:
            return JSONResponse({"why": f"{type(exc).__name__}: {exc}"}, status_code=422)
        except AWAY as exc:
            return JSONResponse({"why": f"{type(exc).__name__}: {exc}"}, status_code=503)

    return checked
