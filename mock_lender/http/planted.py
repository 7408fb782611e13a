"""Faults planted inside a service, by whoever has the run's token.

    PUT    /control/faults/NAME   {kind, lease_s, ...}: see Planted, and conditions.py
    DELETE /control/faults/NAME

Some hit single calls (a share of one operation, the n-th call for a draw, one draw), others are a
condition of the whole service. Each is a lease: it ends by itself, should nobody come back to end
it. What a share hits is the same for the same name and draw: it is a hash of both.
"""

import asyncio
import hashlib
import hmac
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mock_lender.http.conditions import CONDITIONS, End, Within, begin

PREFIX = "/control/faults/"
# Of a call that only looks whether a fault of this name acts.
PROBE_HEADER = "x-fault-probe"
KINDS = ("late", "late_reply", "lost_reply", "error", "wrong", "duplicate", "stale")
HOW_WRONG = ("malformed", "empty", "contradicting")
STATUSES = (500, 503)
LEASE_S_MAX = 3600.0
LATENCY_S_MAX = 600.0
SIGMA_MAX = 4.0
FAULTS_MAX = 16
BODY_BYTES_MAX = 10_000
# All GETs, and all POSTs.
GROUPS = {"reads": "GET", "writes": "POST"}


def operation_of(method: str, path: str) -> str:
    """What is asked of the service: a POST by the last word of its path (`payouts`, `reserve`,
    `draws`, `close`), a GET by what it looks at (`quota`, or the `status` of one key)."""
    last = path.rpartition("/")[2]
    if method == "GET":
        return "quota" if last == "quota" else "status"
    return last


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault that hits calls. lease_s: how long, counted from when it was planted.

    nth 0: every call. draw: of this draw alone; empty: of any. sigma: the spread of `latency_s`, a
    log-normal's whose median that is; 0: always the same. certain, done: what an `error` says of
    itself, and whether the work was done all the same. how: one of HOW_WRONG.
    """

    name: str
    kind: str
    operation: str
    share: float
    lease_s: float
    latency_s: float = 0.0
    sigma: float = 0.0
    silent: bool = False
    nth: int = 0
    draw: str = ""
    status: int = 500
    certain: bool = False
    done: bool = False
    how: str = "malformed"

    def about(self, operation: str, method: str) -> bool:
        """Is such a call one that it may hit?"""
        return operation == self.operation or GROUPS.get(self.operation) == method

    def hits(self, draw_key: str, number: int) -> bool:
        """Is the `number`-th call for this draw one of its share?"""
        if self.nth and number != self.nth:
            return False
        return self._dice(draw_key, number, "hit") < self.share

    def late_s(self, draw_key: str, number: int) -> float:
        """How late this call is, s."""
        if not self.sigma:
            return self.latency_s
        # Never 0 or 1, where the distribution has no end.
        point = min(max(self._dice(draw_key, number, "late"), 1e-9), 1 - 1e-9)
        drawn_s = self.latency_s * math.exp(self.sigma * NormalDist().inv_cdf(point))
        return min(drawn_s, LATENCY_S_MAX)

    def _dice(self, draw_key: str, number: int, what: str) -> float:
        thrown = hashlib.sha256(f"{self.name}/{draw_key}/{number}/{what}".encode()).digest()
        return int.from_bytes(thrown[:8]) / 2**64


@dataclass(frozen=True, slots=True)
class Hit:
    """A call that has met a fault. number: it is the so many-th for its draw. probe: it was only
    sent to see."""

    planted: Planted
    draw_key: str
    number: int
    probe: bool = False

    @property
    def late_s(self) -> float:
        return self.planted.late_s(self.draw_key, self.number)


class PlantedFaults:
    """Those of one service. `nothing planted` is the usual case and costs one comparison."""

    def __init__(self, token: str, within: Within) -> None:
        self._token = token
        self._within = within
        self._faults: dict[str, Planted] = {}
        self._conditions: dict[str, End] = {}
        self._leases: dict[str, asyncio.TimerHandle] = {}
        self._calls: Counter[tuple[str, str, str]] = Counter()

    async def control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under `/control/faults/`."""
        headers = dict(scope["headers"])
        given = headers.get(b"x-token", b"").decode("latin-1")
        name = unquote(scope["path"].removeprefix(PREFIX))
        answer: Response
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            answer = JSONResponse({"why": "X-Token"}, status_code=403)
        elif scope["method"] == "DELETE":
            answer = JSONResponse({}, status_code=200 if self.lift(name) else 404)
        elif scope["method"] == "PUT" and len(self._leases) < FAULTS_MAX:
            answer = self._put(name, await _body(receive))
        else:
            answer = JSONResponse({"why": "PUT or DELETE"}, status_code=405)
        await answer(scope, receive, send)

    def _put(self, name: str, raw: bytes) -> Response:
        try:
            body = json.loads(raw)
            self.plant(name, body)
        except (ValueError, KeyError, TypeError) as exc:
            return JSONResponse({"why": f"{type(exc).__name__}: {exc}"}, status_code=422)
        return JSONResponse({}, status_code=201)

    def plant(self, name: str, body: Mapping[str, Any]) -> None:
        """Plant one, instead of one of that name. Raises ValueError, KeyError or TypeError."""
        lease_s = float(body["lease_s"])
        if not 0 < lease_s <= LEASE_S_MAX:
            raise ValueError("lease_s")
        self.lift(name)
        if body["kind"] in CONDITIONS:
            self._conditions[name] = begin(body, self._within)
        else:
            self._faults[name] = _parsed(name, body)
        loop = asyncio.get_running_loop()
        self._leases[name] = loop.call_later(lease_s, self.lift, name)

    def lift(self, name: str) -> bool:
        """End one; False: there was none of that name."""
        lease = self._leases.pop(name, None)
        if lease is None:
            return False
        lease.cancel()
        end = self._conditions.pop(name, None)
        if end is not None:
            end()
        self._faults.pop(name, None)
        if not self._faults:
            self._calls.clear()
        return True

    def hit(self, method: str, path: str, draw_key: str, probe_of: str | None) -> Hit | None:
        """The fault that this call meets, or none. A probe meets the fault that it was sent to look
        at, whatever draw that is meant for, and no other; calls that are hit are written down."""
        if not self._faults:
            return None
        operation = operation_of(method, path)
        counted = (operation, draw_key, probe_of or "")
        self._calls[counted] += 1
        number = self._calls[counted]
        for name, planted in self._faults.items():
            meant = planted.draw in ("", draw_key) if probe_of is None else probe_of == name
            if meant and planted.about(operation, method) and planted.hits(draw_key, number):
                # What a stale cache is asked for the first time is answered well, and remembered.
                if probe_of is None and planted.kind != "stale":
                    self._within.telemetry.state("planted", draw_key, name)
                return Hit(planted, draw_key, number, probe_of is not None)
        return None


def _parsed(name: str, body: Mapping[str, Any]) -> Planted:
    """Raises ValueError, KeyError or TypeError."""
    unknown = set(body) - set(Planted.__dataclass_fields__)
    if body["kind"] not in KINDS or unknown:
        raise ValueError(f"kind, or one of {sorted(unknown)}")
    planted = Planted(
        name=name,
        kind=body["kind"],
        operation=str(body["operation"]),
        share=float(body["share"]),
        lease_s=float(body["lease_s"]),
        latency_s=float(body.get("latency_s", 0.0)),
        sigma=float(body.get("sigma", 0.0)),
        silent=body.get("silent") is True,
        nth=int(body.get("nth", 0)),
        draw=str(body.get("draw", "")),
        status=int(body.get("status", 500)),
        certain=body.get("certain") is True,
        done=body.get("done") is True,
        how=str(body.get("how", "malformed")),
    )
    if not 0 <= planted.share <= 1 or not 0 <= planted.latency_s <= LATENCY_S_MAX:
        raise ValueError("share or latency_s")
    if not 0 <= planted.sigma <= SIGMA_MAX or planted.how not in HOW_WRONG:
        raise ValueError("sigma or how")
    if planted.status not in STATUSES or (planted.certain and planted.done):
        raise ValueError("status; certain, that nothing was done, and done")
    return planted


async def _body(receive: Receive) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        found += message.get("body", b"")
        if not message.get("more_body") or len(found) > BODY_BYTES_MAX:
            return bytes(found)
