"""The skeleton of every service: its routes within its edge, health, metrics and problems."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.clock import now_ns
from mock_lender.context import ServiceContext
from mock_lender.http.edge import Edge, nothing
from mock_lender.http.problems import problem
from mock_lender.http.slots import Slots
from mock_lender.resilience.admission import Admission

Hook = Callable[[], Awaitable[None]]
Trouble = Callable[[Request, Exception], Response]
BODY_BYTES_MAX = 64 * 1024
# Which version answers, and what its clock says.
VERSION_HEADER = "X-Version"
CLOCK_HEADER = "X-Clock-Ns"


def build_app(
    ctx: ServiceContext,
    routes: Sequence[Route],
    *,
    slots: Slots | None = None,
    every_call: bool = True,
    lacks: Callable[[str], str] = nothing,
    more: Callable[[], str] = str,
    on_start: Hook | None = None,
    on_stop: Hook | None = None,
    troubles: Mapping[type[Exception], Trouble] | None = None,
) -> ASGIApp:
    """A service: its routes, health and metrics. `slots` bounds what is worked on at once: each
    call waits for one, or without `every_call` the routes ask for them where they need one.
    `lacks`: as `Edge` has it. `more`: further lines for /metrics.
    `troubles`: the answers for exceptions of its own."""

    async def health(_: Request) -> Response:
        headers = {VERSION_HEADER: ctx.version, CLOCK_HEADER: str(now_ns())}
        return PlainTextResponse("ok", headers=headers)

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ok", status_code=200 if edge.ready else 503)

    async def metrics(_: Request) -> Response:
        lines = [
            f"requests_served_total {edge.served}", f"requests_failed_total {edge.failed}",
            f"requests_slow_total {edge.slow}", f"requests_shed_total {edge.shed.total()}",
            f"posts_in_progress {edge.posts}",
        ]  # fmt: skip
        lines += [f'shed_total{{operation="{what}"}} {n}' for what, n in edge.shed.items()]
        if slots is not None:
            lines += [f"slots_total {slots.most}", f"slots_usable {slots.usable}"]
        said = "".join(f"{line}\n" for line in lines) + protection_lines(ctx)
        of_slots = slots.metrics() if isinstance(slots, Admission) else ""
        return PlainTextResponse(said + of_slots + more(), headers={CLOCK_HEADER: str(now_ns())})

    async def start() -> None:
        ctx.telemetry.state("process", ctx.name, "began")
        if on_start is not None:
            await on_start()
        for one in ctx.planted:
            edge.planted.plant(str(one["name"]), {k: one[k] for k in one if k != "name"})

    common = [Route("/healthz", health), Route("/readyz", ready), Route("/metrics", metrics)]
    inner = Starlette(
        routes=[*routes, *common],
        exception_handlers={
            HTTPException: _handler(ctx),
            Exception: _handler(ctx),
            **(troubles or {}),
        },
        lifespan=_lifespan(start, on_stop),
    )
    edge = Edge(inner, ctx, slots, every_call=every_call, lacks=lacks)
    return edge


def protection_lines(ctx: ServiceContext) -> str:
    """Which protections are on, for /metrics, a line each."""
    return "".join(f'protection{{name="{name}"}} 1\n' for name in ctx.config.protections)


def metric_lines(figures: Mapping[str, float]) -> str:
    """Figures for /metrics, a line each."""
    return "".join(f"{name} {value:g}\n" for name, value in figures.items())


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


def _lifespan(
    on_start: Hook, on_stop: Hook | None
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await on_start()
        yield
        if on_stop is not None:
            await on_stop()

    return lifespan
