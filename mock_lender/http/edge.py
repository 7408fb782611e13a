"""The edge of every service: what each request meets before its work, and what is written of it.

Health, deadlines, slots first in first out, planted faults, and one row of telemetry a request.
"""

import asyncio
import hmac
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_lender.context import ServiceContext
from mock_lender.http.conditions import Within
from mock_lender.http.planted import PREFIX, PROBE_HEADER, Hit, PlantedFaults, operation_of
from mock_lender.http.problems import WRONG_VERSION, problem
from mock_lender.http.slots import Slots
from mock_lender.http.suffering import Sufferer, nobody, replayed
from mock_lender.resilience.admission import DRAW, RANKS, Admission
from mock_lender.resilience.deadline import Deadline

QUIET = ("/healthz", "/readyz", "/metrics", "/openapi.json")
WORKED_HEADER = b"x-worked-ns"
# Nobody waits longer, with a deadline or without.
LONG_S = 3600.0


def nothing(_: str) -> str:
    """What a service lacks that needs nothing but itself."""
    return ""


class Edge:
    """ASGI middleware.

    slots: what is worked on at once; with `every_call` each request waits for one here, without it
    the work asks for them itself. A caller that goes away is not noticed: its request is still
    worked off, as most servers do. lacks: the hop for want of which this replica may not be given
    an operation that changes something ("": any of them); empty: there is none.
    """

    def __init__(
        self, app: ASGIApp, ctx: ServiceContext, slots: Slots | None, *, every_call: bool,
        lacks: Callable[[str], str] = nothing,
    ) -> None:  # fmt: skip
        self._app = app
        self._ctx = ctx
        self._settings = ctx.settings
        self._slots = slots if every_call else None
        self.within = Within(ctx.telemetry, slots)
        self.planted = PlantedFaults(ctx.config.token, self.within)
        told = partial(ctx.telemetry.state, "planted")
        self._sufferer = Sufferer(ctx.role, self._again, told)
        self._later: set[asyncio.Task[None]] = set()
        self._lacks = lacks
        self.served = 0
        self.failed = 0
        self.slow = 0
        self.shed = Counter[str]()
        self.posts = 0

    @property
    def ready(self) -> bool:
        """Is it, for everything that it may be asked?"""
        return self.within.ready and not self._lacks("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            await self.planted.control(scope, receive, send)
        else:
            await self._served(scope, receive, send, once_more=False)

    def _again(self, scope: Scope, heard: list[Message], after_s: float) -> None:
        """The same request, delivered once more after a while; its answer goes nowhere."""

        async def deliver() -> None:
            await asyncio.sleep(after_s)
            fresh = {**scope, "state": {}}
            await self._served(fresh, replayed(heard, _silence), nobody, once_more=True)

        task = asyncio.get_running_loop().create_task(deliver())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _served(self, scope: Scope, receive: Receive, send: Send, *, once_more: bool) -> None:
        """One request from its arrival to its row of telemetry."""
        start_ns = time.monotonic_ns()
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        client = headers.get("x-client", "borrower")
        key = _plain(headers.get("x-draw-key") or headers.get("idempotency-key") or "")
        if not key and scope["path"].startswith("/v1/draws/"):
            key = _plain(scope["path"].split("/")[3])
        status: list[int] = []

        def noted(send: Send) -> Send:
            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status.append(message["status"])
                await send(message)

            return noting

        queued: list[int] = []
        post = scope["method"] == "POST"
        self.posts += post
        try:
            try:
                deadline = Deadline.from_header(headers.get("x-deadline-ms"))
            except ValueError:
                await _bad_deadline(self._ctx)(scope, receive, noted(send))
                return
            scope["state"]["deadline"] = deadline if self._ctx.on("deadlines") else None
            if self._of_another_contract(headers):
                await self._not_understood()(scope, receive, noted(send))
                return
            scope["state"]["drill"] = hmac.compare_digest(
                headers.get("x-drill-token", "").encode(), self._ctx.config.token.encode()
            )
            probe_of = headers.get(PROBE_HEADER)
            work = self._app if probe_of is None else self._dated
            hit = None
            if not once_more:
                hit = self.planted.hit(scope["method"], scope["path"], key, probe_of)
            slots = None if hit is not None and hit.probe else self._slots
            if hit is not None:
                work = self._suffering(hit, work, noted, send)
            await self._in_turn(work, scope, receive, noted(send), queued, slots)
        finally:
            self.served += 1
            self.failed += not status or status[0] >= 500
            worked_ns = time.monotonic_ns() - start_ns - (queued[0] if queued else 0)
            self.slow += worked_ns >= self._settings.slow_call_s * 1e9
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
                queue_ns=queued[0] if queued else 0,
            )

    def _of_another_contract(self, headers: Mapping[str, str]) -> bool:
        """Only services say which they have; nothing is done for who has another."""
        spoken = headers.get("x-contract", str(self._ctx.contract))
        return spoken != str(self._ctx.contract) and self._ctx.on("handshake")

    def _not_understood(self) -> JSONResponse:
        return problem(503, cause="system", hop=self._ctx.role, reason=WRONG_VERSION, certain=True)

    def _suffering(
        self, hit: Hit, work: ASGIApp, noted: Callable[[Send], Send], send: Send
    ) -> ASGIApp:
        return self._sufferer.suffering(hit, work, unsaid=noted(nobody), connection=send)

    async def _dated(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The work for a probe, whose answer says when it was done: a replayed one was not now."""
        worked_ns = str(time.monotonic_ns()).encode()

        async def dating(message: Message) -> None:
            if message["type"] == "http.response.start":
                pair = (WORKED_HEADER, worked_ns)
                message = {**message, "headers": [*message["headers"], pair]}
            await send(message)

        await self._app(scope, receive, dating)

    async def _in_turn(
        self, work: ASGIApp, scope: Scope, receive: Receive, send: Send, queued: list[int],
        slots: Slots | None,
    ) -> None:  # fmt: skip
        """Wait for a slot, then work. How long the wait was, ns, is put into `queued` before the
        work begins: it may fail, as it does when the caller is gone by then.

        slots: none for a look at a fault that has hit it. Fifty looks that are late would fill the
        slots, shed each other as too many, and hide what they look at; and turn draws away.
        """
        asked_ns = time.monotonic_ns()
        deadline: Deadline | None = scope["state"]["deadline"]
        operation = operation_of(scope["method"], scope["path"])
        lacks = "" if scope["method"] == "GET" else self._lacks(operation)
        late = deadline is not None and deadline.remaining_s <= 0
        ready = self.within.ready and not lacks and not late
        if not ready or not await self._slot(slots, deadline, operation):
            self.shed[operation] += 1
            queued.append(time.monotonic_ns() - asked_ns)
            await self._not_now(lacks)(scope, receive, send)
            return
        began_ns = time.monotonic_ns()
        queued.append(began_ns - asked_ns)
        try:
            await work(scope, receive, send)
        finally:
            if isinstance(slots, Admission):
                slots.leave(wasted=self._wasted(deadline, began_ns))
            elif slots is not None:
                slots.release()

    def _not_now(self, lacks: str) -> JSONResponse:
        """Nothing has happened: there are too many, or something else is not there."""
        slots = self._slots
        return problem(
            503, cause="system", hop=lacks or self._ctx.role,
            reason="unreachable" if lacks else "shed", certain=True,
            come_back_ms=slots.come_back_ms() if isinstance(slots, Admission) else 0,
        )  # fmt: skip

    def _wasted(self, deadline: Deadline | None, began_ns: int) -> bool:
        """Has whoever asked for it gone by now? Without a deadline: as long as we would wait."""
        if deadline is not None:
            return deadline.remaining_s <= 0
        return (time.monotonic_ns() - began_ns) / 1e9 > self._settings.call_timeout_s

    async def _slot(self, slots: Slots | None, deadline: Deadline | None, operation: str) -> bool:
        """False: there would not be enough time left to do anything with a slot."""
        if slots is None:
            return True
        if deadline is None and not isinstance(slots, Admission):
            await slots.acquire()
            return True
        left_s = LONG_S if deadline is None else deadline.remaining_s
        patience_s = left_s - self._settings.least_s
        if patience_s <= 0:
            return False
        if isinstance(slots, Admission):
            return await slots.enter(RANKS.get(operation, DRAW), patience_s)
        try:
            await asyncio.wait_for(slots.acquire(), patience_s)
        except TimeoutError:
            return False
        return True


async def _silence() -> Message:
    """What comes after a request that nobody waits for: its caller is gone."""
    return {"type": "http.disconnect"}


def _bad_deadline(ctx: ServiceContext) -> JSONResponse:
    return problem(
        400, cause="system", hop=ctx.role, reason="bad-request", certain=True,
        more="X-Deadline-Ms is a whole number of milliseconds",
    )  # fmt: skip


def _plain(text: str) -> str:
    """A field of a CSV row: letters, digits and a few signs, never a comma or a line break."""
    return "".join(sign for sign in text[:64] if sign.isalnum() or sign in "-_.:")


def _number(text: str | None) -> int:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,5}", text) else 0


def _result(status: list[int]) -> str:
    if not status:
        return "error"
    return "ok" if status[0] < 400 else "refused" if status[0] < 500 else "error"
