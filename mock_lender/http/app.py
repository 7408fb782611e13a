"""The skeleton of every service: health, problems, deadlines, slots, and its record of calls."""

import asyncio
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_lender.context import ServiceContext
from mock_lender.http.planted import PREFIX, PROBE_HEADER, PlantedFaults, nobody, suffering
from mock_lender.http.problems import problem
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.profile import Settings

Hook = Callable[[], Awaitable[None]]
Trouble = Callable[[Request, Exception], Response]
BODY_BYTES_MAX = 64 * 1024
QUIET = ("/healthz", "/readyz", "/metrics", "/openapi.json")


class Edge:
    """ASGI middleware: one row of telemetry a request, first in first out through the slots.

    A caller that goes away is not noticed: its request is still worked off, as most servers do.
    """

    def __init__(self, app: ASGIApp, ctx: ServiceContext, slots: int | None) -> None:
        self._app = app
        self._ctx = ctx
        self._settings = Settings.of(ctx.config.protections)
        self._slots = asyncio.Semaphore(slots) if slots else None
        self._planted = PlantedFaults(ctx.config.token, ctx.telemetry)
        self.served = 0
        self.shed = 0
        self.posts = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(PREFIX):
            await self._planted.control(scope, receive, send)
            return
        start_ns = time.monotonic_ns()
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        client = headers.get("x-client", "borrower")
        key = _plain(headers.get("x-draw-key") or headers.get("idempotency-key") or "")
        if not key and scope["path"].startswith("/v1/draws/"):
            key = _plain(scope["path"].rpartition("/")[2])
        status: list[int] = []

        def noted(send: Send) -> Send:
            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status.append(message["status"])
                await send(message)

            return noting

        queue_ns = 0
        post = scope["method"] == "POST"
        self.posts += post
        try:
            try:
                deadline = Deadline.from_header(headers.get("x-deadline-ms"))
            except ValueError:
                await _bad_deadline(self._ctx)(scope, receive, noted(send))
                return
            scope["state"]["deadline"] = deadline if self._ctx.on("deadlines") else None
            scope["state"]["drill"] = hmac.compare_digest(
                headers.get("x-drill-token", "").encode(), self._ctx.config.token.encode()
            )
            planted = self._planted.hit(scope["path"], key, headers.get(PROBE_HEADER))
            work = self._app
            if planted is not None:
                work = suffering(planted, self._app, unsaid=noted(nobody), connection=send)
            queue_ns = await self._in_turn(work, scope, receive, noted(send))
        finally:
            self.served += 1
            self.posts -= post
            role = "borrower" if client == "borrower" else client.rpartition("-")[0]
            self._ctx.telemetry.call(
                draw_key=key,
                attempt=_number(headers.get("x-attempt")),
                edge=f"{_plain(role)}->{self._ctx.role}",
                client=_plain(client),
                server=self._ctx.name,
                side="server",
                start_ns=start_ns,
                done_ns=time.monotonic_ns(),
                sent=True,
                result=_result(status),
                queue_ns=queue_ns,
            )

    async def _in_turn(self, work: ASGIApp, scope: Scope, receive: Receive, send: Send) -> int:
        """Wait for a slot, then work; how long the wait was, ns."""
        asked_ns = time.monotonic_ns()
        deadline: Deadline | None = scope["state"]["deadline"]
        late = deadline is not None and deadline.remaining_s <= 0
        if late or not await self._slot(deadline):
            self.shed += 1
            answer = problem(503, cause="system", hop=self._ctx.role, reason="shed", certain=True)
            await answer(scope, receive, send)
            return time.monotonic_ns() - asked_ns
        queue_ns = time.monotonic_ns() - asked_ns
        try:
            await work(scope, receive, send)
        finally:
            if self._slots is not None:
                self._slots.release()
        return queue_ns

    async def _slot(self, deadline: Deadline | None) -> bool:
        """False: there would not be enough time left to do anything with a slot."""
        slots = self._slots
        if slots is None:
            return True
        if deadline is None:
            await slots.acquire()
            return True
        patience_s = deadline.remaining_s - self._settings.least_s
        if patience_s <= 0:
            return False
        try:
            await asyncio.wait_for(slots.acquire(), patience_s)
        except TimeoutError:
            return False
        return True


def build_app(
    ctx: ServiceContext,
    routes: Sequence[Route],
    *,
    slots: int | None = None,
    on_start: Hook | None = None,
    on_stop: Hook | None = None,
    troubles: Mapping[type[Exception], Trouble] | None = None,
) -> ASGIApp:
    """A service: its routes, health and metrics. `slots` bounds what is worked on at once.
    `troubles`: the answers for exceptions of its own."""

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(
            f"requests_served_total {edge.served}\nrequests_shed_total {edge.shed}\n"
            f"posts_in_progress {edge.posts}\n"
        )

    common = [Route("/healthz", health), Route("/readyz", health), Route("/metrics", metrics)]
    inner = Starlette(
        routes=[*routes, *common],
        exception_handlers={
            HTTPException: _handler(ctx),
            Exception: _handler(ctx),
            **(troubles or {}),
        },
        lifespan=_lifespan(on_start, on_stop),
    )
    edge = Edge(inner, ctx, slots)
    return edge


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises HTTPException 413, 415 or 400."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send application/json")
    if int(request.headers.get("content-length") or 0) > BODY_BYTES_MAX:
        raise HTTPException(413, f"at most {BODY_BYTES_MAX} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(413, f"at most {BODY_BYTES_MAX} bytes")
    try:
        found = json.loads(bytes(body))
    except ValueError as exc:
        raise HTTPException(400, "the body is not JSON") from exc
    except RecursionError as exc:  # not a ValueError: brackets upon brackets
        raise HTTPException(400, "the body is nested too deeply") from exc
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return found


def _handler(ctx: ServiceContext) -> Callable[[Request, Exception], Response]:
    def handle(_: Request, exc: Exception) -> Response:
        if not isinstance(exc, HTTPException):
            # It broke on the way: nobody knows how far it had come.
            return problem(500, cause="system", hop=ctx.role, reason="broken")
        answer = problem(
            exc.status_code, cause="system", hop=ctx.role, reason="bad-request", certain=True,
            more=str(exc.detail),
        )  # fmt: skip
        answer.headers.update(exc.headers or {})  # Allow, with a 405
        return answer

    return handle


def _bad_deadline(ctx: ServiceContext) -> JSONResponse:
    return problem(
        400, cause="system", hop=ctx.role, reason="bad-request", certain=True,
        more="X-Deadline-Ms is a whole number of milliseconds",
    )  # fmt: skip


def _lifespan(
    on_start: Hook | None, on_stop: Hook | None
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if on_start is not None:
            await on_start()
        yield
        if on_stop is not None:
            await on_stop()

    return lifespan


def _plain(text: str) -> str:
    """A field of a CSV row: letters, digits and a few signs, never a comma or a line break."""
    return "".join(sign for sign in text[:64] if sign.isalnum() or sign in "-_.:")


def _number(text: str | None) -> int:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,5}", text) else 0


def _result(status: list[int]) -> str:
    if not status:
        return "error"
    return "ok" if status[0] < 400 else "refused" if status[0] < 500 else "error"
