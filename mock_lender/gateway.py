"""The gateway: the borrower's only door, and the one who asks the bank to pay."""

import asyncio
import hashlib
import re
import time
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.answers import told_of_close, told_of_repayment
from mock_lender.clock import now_ns
from mock_lender.context import ServiceContext
from mock_lender.defects.gateway import draw_path_of, told_of
from mock_lender.draw_path import Draw
from mock_lender.http.app import build_app, read_json
from mock_lender.http.client import HopClient
from mock_lender.http.problems import problem
from mock_lender.http.routes import Routes
from mock_lender.http.slots import Slots
from mock_lender.http.wire import Reply
from mock_lender.judges import Judges
from mock_lender.notices import Notices
from mock_lender.presses import Press, Presses
from mock_lender.quota import QuotaCache, is_quota
from mock_lender.resilience.admission import Admission

KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
# Not the router's int: Python refuses to read a number of thousands of digits.
BORROWER = re.compile(r"[0-9]{1,10}")
ATTEMPT = re.compile(r"[0-9]{1,5}")
PURPOSE = re.compile(r"[a-z-]{2,40}")
AMOUNT_FEN_MAX = 100_000_000_00


class Behind:
    """What a gateway has behind its door: the way to the other services, who judges, what it knows
    of quotas, and a look at its way to the banks."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self.judges = Judges(ctx)
        self.shown = QuotaCache(ctx.settings, guarded=ctx.on("quota_cache"))
        self._client: HopClient | None = None
        self._routes: Routes | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def client(self) -> HopClient:
        """Once started."""
        if self._client is None:
            raise RuntimeError("not started")
        return self._client

    async def start(self) -> None:
        """Begin to look around."""
        self._client = HopClient(self._ctx)
        await self.judges.start(self._client)
        if self._ctx.on("second_site"):
            banks = {tier.bank for tier in self._ctx.config.tiers}
            self._routes = Routes(self._client, banks, self._ctx.telemetry)
            self._looking = asyncio.create_task(self._routes.run())

    async def stop(self) -> None:
        """Look no more."""
        await self.judges.stop()
        if self._looking is not None:
            self._looking.cancel()
        await self.client.close()

    def lacks(self, operation: str) -> str:
        """The hop for want of which it may not be given that; empty: there is none. A repayment
        takes no bank, nor does a draw that is given up."""
        if not self.client.welcome:
            return self._ctx.role
        if operation in ("repayments", "close"):
            return ""
        return "" if self._routes is None or self._routes.ready else self._routes.cut[0]

    def metrics(self) -> str:
        """Of all of them, for /metrics."""
        ways = "" if self._routes is None else self._routes.metrics()
        return self.judges.counts() + self.shown.counts() + self.client.metrics() + ways


def create_app(ctx: ServiceContext) -> ASGIApp:
    """The public API; see openapi.json beside this file."""
    behind, presses, told_all = Behind(ctx), Presses(), Notices(ctx)
    path, told = draw_path_of(ctx.config.defects), told_of(ctx.config.defects)

    async def press(request: Request) -> Response:
        draw = await parse_draw(request, key_of(request))
        with behind.shown.changing(draw.borrower):
            return await presses.once(
                press_of(request, draw.key, draw.body_hash),
                lambda: path(ctx, behind.client, behind.judges).walk(draw),
            )

    async def poll(request: Request) -> Response:
        key = key_in_path(request)
        reply = await behind.client.call(
            "ledger", "GET", f"/draws/{key}", draw_key=key,
            deadline=request.state.deadline, idempotent=True,
        )  # fmt: skip
        if reply.kind != "answer" or reply.status >= 500:
            return problem(504, cause="system", hop="ledger", reason="unknown")
        return told(key, reply.status, dict(reply.body))

    async def close(request: Request) -> Response:
        draw = await parse_draw(request, key_in_path(request))
        reply = await behind.client.call(
            "ledger", "POST", "/close", draw_key=draw.key,
            body={
                "draw_key": draw.key, "borrower": draw.borrower, "amount_fen": draw.amount_fen,
                "purpose": draw.purpose, "body_hash": draw.body_hash,
            },
            deadline=draw.deadline, idempotent=True,
        )  # fmt: skip
        return told_of_close(draw.key, reply)

    async def repay(request: Request) -> Response:
        key, borrower, amount_fen = await parse_repayment(request)
        with behind.shown.changing(borrower):
            return await presses.once(
                press_of(request, key, f"{borrower}/{amount_fen}"),
                lambda: repaid(behind.client, request, key, borrower, amount_fen),
            )

    async def quota(request: Request) -> Response:
        return await shown_quota(behind.client, behind.shown, request)

    async def notices(request: Request) -> Response:
        borrower = request.path_params["borrower"]
        if not BORROWER.fullmatch(borrower) or int(borrower) >= 2**31:
            raise HTTPException(404, "a borrower is a number")
        return JSONResponse({"notices": told_all.now(now_ns())})

    async def document(_: Request) -> Response:
        return FileResponse(Path(__file__).with_name("openapi.json"))

    routes = [
        Route("/v1/draws", press, methods=["POST"]),
        Route("/v1/draws/{key}", poll, methods=["GET"]),
        Route("/v1/draws/{key}/close", close, methods=["POST"]),
        Route("/v1/repayments", repay, methods=["POST"]),
        Route("/v1/borrowers/{borrower}/quota", quota, methods=["GET"]),
        Route("/v1/notices/{borrower}", notices, methods=["GET"]),
        Route("/openapi.json", document, methods=["GET"]),
    ]
    most = ctx.config.capacity.gateway_slots
    slots = Admission(most, ctx.settings, quick=True) if ctx.on("admission") else Slots(most)
    return build_app(
        ctx, routes, slots=slots, lacks=behind.lacks, more=behind.metrics, on_start=behind.start,
        on_stop=behind.stop,
    )  # fmt: skip


async def shown_quota(client: HopClient, cache: QuotaCache, request: Request) -> Response:
    """What a borrower is shown. Raises HTTPException 404 for what is no borrower."""
    borrower = request.path_params["borrower"]
    if not BORROWER.fullmatch(borrower):
        raise HTTPException(404, "a borrower is a number")

    async def read() -> Reply:
        return await client.call(
            "ledger", "GET", f"/borrowers/{borrower}/quota",
            deadline=request.state.deadline, idempotent=True,
        )  # fmt: skip

    reply = await cache.look(int(borrower), read, request.state.deadline)
    if reply.kind == "answer" and reply.status == 404:
        return problem(404, cause="system", hop="ledger", reason="unknown-borrower", certain=True)
    if not is_quota(reply):
        return problem(503, cause="system", hop="ledger", reason="unreachable", certain=True)
    return JSONResponse(dict(reply.body))


async def parse_repayment(request: Request) -> tuple[str, int, int]:
    """Key, borrower and amount (fen), checked. Raises HTTPException with a 4xx."""
    key = key_of(request)
    body = await read_json(request)
    if set(body) != {"borrower", "amount_fen"}:
        raise HTTPException(422, "borrower and amount_fen, and nothing else")
    return key, *numbers(body["borrower"], body["amount_fen"])


async def repaid(
    client: HopClient, request: Request, key: str, borrower: int, amount_fen: int
) -> Response:
    """The ledger's word on a repayment, as the borrower is told it."""
    reply = await client.call(
        "ledger", "POST", "/repay", draw_key=key, idempotent=True,
        body={"repay_key": key, "borrower": borrower, "amount_fen": amount_fen},
        deadline=request.state.deadline,
    )  # fmt: skip
    return told_of_repayment(key, reply)


def key_of(request: Request) -> str:
    """The idempotency key. Raises HTTPException 400."""
    key = request.headers.get("idempotency-key", "")
    if not KEY.fullmatch(key):
        raise HTTPException(400, "Idempotency-Key: 8 to 64 letters, digits, - or _")
    return key


def key_in_path(request: Request) -> str:
    """The draw's key. Raises HTTPException 400."""
    key = str(request.path_params["key"])
    if not KEY.fullmatch(key):
        raise HTTPException(400, "a key has 8 to 64 letters, digits, - or _")
    return key


def press_of(request: Request, key: str, body: str) -> Press | None:
    """Which press a request is; None: it does not say."""
    attempt = request.headers.get("x-attempt", "")
    return (request.url.path, key, body, int(attempt)) if ATTEMPT.fullmatch(attempt) else None


def numbers(borrower: object, amount_fen: object) -> tuple[int, int]:
    """Both, checked. Raises HTTPException 422."""
    who, fen = whole(borrower), whole(amount_fen)
    if who is None or not 0 <= who < 2**31:
        raise HTTPException(422, "borrower: a number")
    if fen is None or not 0 < fen <= AMOUNT_FEN_MAX:
        raise HTTPException(422, f"amount_fen: a whole number from 1 to {AMOUNT_FEN_MAX}")
    return who, fen


def whole(value: object) -> int | None:
    """An integer as JSON Schema has it: 5.0 is one, and exact as far as any amount here goes."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


async def parse_draw(request: Request, key: str) -> Draw:
    """A draw from its request, checked. Raises HTTPException with a 4xx."""
    body = await read_json(request)
    borrower, amount_fen, purpose = (body.get(k) for k in ("borrower", "amount_fen", "purpose"))
    if set(body) != {"borrower", "amount_fen", "purpose"}:
        raise HTTPException(422, "borrower, amount_fen and purpose, and nothing else")
    borrower, amount_fen = numbers(borrower, amount_fen)
    if not isinstance(purpose, str) or not PURPOSE.fullmatch(purpose):
        raise HTTPException(422, "purpose: 2 to 40 small letters or -")
    attempt = request.headers.get("x-attempt", "0")
    return Draw(
        key=key,
        borrower=borrower,
        amount_fen=amount_fen,
        purpose=purpose,
        body_hash=hashlib.sha256(f"{borrower}/{amount_fen}/{purpose}".encode()).hexdigest()[:32],
        attempt=int(attempt) if ATTEMPT.fullmatch(attempt) else 0,
        deadline=request.state.deadline,
        nonce=f"{time.monotonic_ns():x}-{id(request):x}",
    )
