"""Faults planted inside a service, by whoever has the run's token: late work, late or lost replies.

    PUT    /control/faults/NAME   {kind, operation, share, latency_s, silent, nth, lease_s}
    DELETE /control/faults/NAME

Each is a lease: it ends by itself, should nobody come back to end it. What it hits is the same for
the same name and draw: a share is a hash of both.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_lender.telemetry import Telemetry

PREFIX = "/control/faults/"
# Of a call that only looks whether a fault of this name acts.
PROBE_HEADER = "x-fault-probe"
KINDS = ("late", "late_reply", "lost_reply")
LEASE_S_MAX = 3600.0
LATENCY_S_MAX = 600.0
FAULTS_MAX = 16


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault. until_ns: end of its lease, CLOCK_MONOTONIC. nth 0: every call."""

    name: str
    kind: str
    operation: str
    share: float
    latency_s: float
    silent: bool
    nth: int
    until_ns: int

    def hits(self, draw_key: str, number: int) -> bool:
        """Is the `number`-th call for this draw one of its share?"""
        if self.nth and number != self.nth:
            return False
        dice = hashlib.sha256(f"{self.name}/{draw_key}/{number}".encode()).digest()
        return int.from_bytes(dice[:8]) < self.share * 2**64


class PlantedFaults:
    """Those of one service. `nothing planted` is the usual case and costs one comparison."""

    def __init__(self, token: str, telemetry: Telemetry) -> None:
        self._token = token
        self._telemetry = telemetry
        self._faults: dict[str, Planted] = {}
        self._calls: Counter[tuple[str, str]] = Counter()

    async def control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under `/control/faults/`."""
        headers = dict(scope["headers"])
        given = headers.get(b"x-token", b"").decode("latin-1")
        name = unquote(scope["path"].removeprefix(PREFIX))
        answer: Response
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            answer = JSONResponse({"why": "X-Token"}, status_code=403)
        elif scope["method"] == "DELETE":
            gone = self._faults.pop(name, None) is None
            answer = JSONResponse({}, status_code=404 if gone else 200)
        elif scope["method"] == "PUT" and len(self._faults) < FAULTS_MAX:
            answer = self._plant(name, await _body(receive))
        else:
            answer = JSONResponse({"why": "PUT or DELETE"}, status_code=405)
        await answer(scope, receive, send)

    def _plant(self, name: str, raw: bytes) -> Response:
        try:
            planted = _parsed(name, json.loads(raw))
        except (ValueError, KeyError, TypeError) as exc:
            return JSONResponse({"why": f"{type(exc).__name__}: {exc}"}, status_code=422)
        self._faults[name] = planted
        return JSONResponse({}, status_code=201)

    def hit(self, path: str, draw_key: str, probe_of: str | None) -> Planted | None:
        """The fault that this call meets, or none. A probe meets the fault that it was sent to look
        at, and no other; calls that are hit are written down."""
        if not self._faults:
            return None
        operation = path.strip("/")
        self._calls[operation, draw_key] += 1
        now_ns = time.monotonic_ns()
        for name, planted in list(self._faults.items()):
            if planted.until_ns < now_ns:
                del self._faults[name]
            elif (
                probe_of in (None, name)
                and planted.operation == operation
                and planted.hits(draw_key, self._calls[operation, draw_key])
            ):
                if probe_of is None:
                    self._telemetry.state("planted", draw_key, name)
                return planted
        return None


def _parsed(name: str, body: dict[str, Any]) -> Planted:
    """Raises ValueError, KeyError or TypeError."""
    lease_s, latency_s = float(body["lease_s"]), float(body["latency_s"])
    share = float(body["share"])
    if body["kind"] not in KINDS or not 0 < lease_s <= LEASE_S_MAX:
        raise ValueError("kind or lease_s")
    if not 0 <= share <= 1 or not 0 <= latency_s <= LATENCY_S_MAX:
        raise ValueError("share or latency_s")
    return Planted(
        name=name,
        kind=body["kind"],
        operation=str(body["operation"]),
        share=share,
        latency_s=latency_s,
        silent=body["silent"] is True,
        nth=int(body["nth"]),
        until_ns=time.monotonic_ns() + int(lease_s * 1e9),
    )


async def _body(receive: Receive) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        found += message.get("body", b"")
        if not message.get("more_body") or len(found) > 10_000:
            return bytes(found)


def suffering(planted: Planted, work: ASGIApp, *, unsaid: Send, connection: Send) -> ASGIApp:
    """The same work as the fault has it. unsaid: where a lost reply goes; connection: the server's
    own `send`."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        # What was sent has arrived: a caller that hangs up meanwhile can't take it back.
        heard = await _heard(receive)
        await asyncio.sleep(planted.latency_s)

        async def again() -> Message:
            return heard.pop(0) if heard else await receive()

        await work(scope, again, send)

    async def late_reply(scope: Scope, receive: Receive, send: Send) -> None:
        async def slow(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(planted.latency_s)
            await send(message)

        await work(scope, receive, slow)

    async def lost_reply(scope: Scope, receive: Receive, _: Send) -> None:
        await work(scope, receive, unsaid)
        if planted.silent:
            await _hung_up(receive, (planted.until_ns - time.monotonic_ns()) / 1e9)
        # ASGI has no word for hanging up unanswered: uvicorn's `send` is a method of the object
        # that has the connection.
        cycle = getattr(connection, "__self__", None)
        if cycle is not None:
            cycle.transport.abort()

    return {"late": late, "late_reply": late_reply, "lost_reply": lost_reply}[planted.kind]


async def _heard(receive: Receive) -> list[Message]:
    """The whole request, as the server hands it over."""
    heard = [await receive()]
    while heard[-1].get("more_body"):
        heard.append(await receive())
    return heard


async def nobody(_: Message) -> None:
    """A `send` that nobody hears."""


async def _hung_up(receive: Receive, within_s: float) -> None:
    """Until the caller has hung up, or for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, within_s)):
            while (await receive())["type"] != "http.disconnect":
                continue
