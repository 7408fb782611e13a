"""The one client of every hop: replica choice, deadline, breaker, retries, and its own record.

The transport's exceptions lie about what was sent (httpx-aiohttp 0.2.0 raises ConnectTimeout for
a refused connection and for a peer that hangs up after the request), so what happened is told by
the exception's cause. Only POST and GET are used with care for aiohttp's habit of silently sending
idempotent methods again on a stale connection: those connections are closed by us long before the
server would (4 s against 30 s), and no GET moves money.
"""

import asyncio
import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from mock_lender.context import ServiceContext
from mock_lender.resilience.breaker import Breaker
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.replicas import Replicas
from mock_lender.resilience.retry import again

KEEP_ALIVE_S = 4.0
CONNECT_S = 1.0
Kind = Literal["answer", "not_sent", "unknown"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call.

    answer: a whole HTTP answer, with its status and JSON body. not_sent: certainly nothing
    reached the server. unknown: it may have, and may have worked. `server`: the last one tried.
    """

    kind: Kind
    server: str
    status: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def ok(self) -> bool:
        return self.kind == "answer" and self.status < 300


class HopClient:
    """Calls from one replica to other services and banks."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._settings = ctx.settings
        self._number = int(ctx.name.rpartition("-")[2])
        # The transport alone: redirects, cookies and authentication, which only a client has, are
        # not for calls between services, and cost a quarter of each call.
        self._http: httpx.AsyncBaseTransport = AiohttpTransport(verify=False, client=_session)
        self._replicas: dict[str, Replicas] = {}
        self._breakers: dict[str, Breaker] = {}

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    def open_targets(self) -> set[str]:
        """Names of the targets whose breaker would refuse a call now."""
        return {name for name, breaker in self._breakers.items() if breaker.refuses}

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        draw_key: str = "",
        attempt: int = 0,
        deadline: Deadline | None = None,
        timeout_s: float | None = None,
        idempotent: bool,
    ) -> Reply:
        """One call, with the retries this profile has.

        `service` is a role or a bank. What may have been sent is tried again only when the call
        is `idempotent`. `timeout_s` bounds each try.
        """
        replicas = self._replicas_of(service)
        tried: list[str] = []
        maybe_sent = False

        async def one_try() -> Reply:
            nonlocal maybe_sent
            server = replicas.choose(tried, self._refuses)
            tried.append(server)
            reply = await self._once(
                server, service, method, path, body, draw_key, attempt, deadline, timeout_s,
                panic=replicas.panics(self._refuses),
            )  # fmt: skip
            maybe_sent = maybe_sent or _unsure(reply)
            return reply

        def worth_it(reply: Reply) -> bool:
            if reply.kind == "not_sent":
                return reply.why != "deadline"
            if _unsure(reply):
                # Under a deadline there is no time to wait for a slow server twice.
                again_in_time = reply.why != "timeout" or deadline is None
                return idempotent and self._settings.tries > 1 and again_in_time
            return reply.status == 503

        tries = self._settings.tries
        if tries == 1 and replicas.alternatives:
            tries = 2
        reply = await again(one_try, worth_it, self._settings, deadline, tries)
        if maybe_sent and (reply.kind == "not_sent" or reply.status == 503):
            # The last try was refused, but an earlier one may have got through and worked.
            return Reply("unknown", reply.server, why="an earlier try")
        return reply

    def _replicas_of(self, service: str) -> Replicas:
        found = self._replicas.get(service)
        if found is None:
            count = self._ctx.config.replicas.get(service)
            names = [service] if count is None else [f"{service}-{n + 1}" for n in range(count)]
            found = Replicas(names, self._number, failover=self._ctx.on("failover"))
            self._replicas[service] = found
        return found

    def _refuses(self, server: str) -> bool:
        breaker = self._breakers.get(server)
        return breaker is not None and breaker.refuses

    def _breaker(self, server: str) -> Breaker | None:
        if not self._ctx.on("breaker"):
            return None
        breaker = self._breakers.get(server)
        if breaker is None:
            breaker = Breaker(server, self._settings, self._breaker_changed)
            self._breakers[server] = breaker
        return breaker

    def _breaker_changed(self, target: str, state: str) -> None:
        self._ctx.telemetry.state("breaker", target, state)

    async def _once(
        self,
        server: str,
        service: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        draw_key: str,
        attempt: int,
        deadline: Deadline | None,
        timeout_s: float | None,
        *,
        panic: bool,
    ) -> Reply:
        start_ns = time.monotonic_ns()
        limit_s = timeout_s if timeout_s is not None else self._settings.call_timeout_s
        if deadline is not None:
            limit_s = min(limit_s, deadline.remaining_s - self._settings.margin_s)
        breaker = self._breaker(server)
        admitted = breaker is None or limit_s <= 0 or breaker.admit()
        if not admitted and panic:
            # Past the breaker, and nothing is learned for it: it waits for its own probe.
            breaker, admitted = None, True
        if limit_s <= 0:
            reply = Reply("not_sent", server, why="deadline")
        elif not admitted:
            reply = Reply("not_sent", server, why="breaker")
        else:
            headers = self._headers(draw_key, attempt, deadline)
            try:
                reply = await self._send(server, method, path, body, headers, limit_s)
            except asyncio.CancelledError:
                if breaker is not None:
                    breaker.ended()
                raise
            self._learn(breaker, reply, (time.monotonic_ns() - start_ns) / 1e9)
        self._ctx.telemetry.call(
            draw_key=draw_key,
            attempt=attempt,
            edge=f"{self._ctx.role}->{service}",
            client=self._ctx.name,
            server=server,
            side="client",
            start_ns=start_ns,
            done_ns=time.monotonic_ns(),
            sent=reply.kind != "not_sent",
            result=_result(reply),
        )
        return reply

    def _learn(self, breaker: Breaker | None, reply: Reply, took_s: float) -> None:
        """Slow counts as failed. A try cut off early by its caller's deadline says nothing, and
        neither does a replica that answers for a database that all replicas share."""
        if breaker is None:
            return
        if reply.body.get("hop") == "database":
            breaker.ended()
            return
        slow = took_s >= self._settings.slow_call_s
        failed = reply.kind == "not_sent" or (reply.kind == "answer" and reply.status >= 500)
        if slow or failed or (reply.kind == "unknown" and reply.why != "timeout"):
            breaker.bad()
        elif reply.kind == "unknown":
            breaker.ended()
        else:
            breaker.good()

    def _headers(self, draw_key: str, attempt: int, deadline: Deadline | None) -> dict[str, str]:
        headers = {
            "X-Client": self._ctx.name,
            "X-Draw-Key": draw_key,
            "X-Attempt": str(attempt),
            "Content-Type": "application/json",
        }
        if deadline is not None:
            headers["X-Deadline-Ms"] = deadline.header()
        return headers

    async def _send(
        self,
        server: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        limit_s: float,
    ) -> Reply:
        edges = self._ctx.config.edges
        address = edges.get(f"{self._ctx.name}->{server}") or edges.get(
            f"{self._ctx.role}->{server}"
        )
        request = httpx.Request(
            method,
            _url(f"http://{address or self._ctx.addresses[server]}{path}"),
            # With a stream httpx adds no headers, which aiohttp would only make anew.
            stream=httpx.ByteStream(b"" if body is None else json.dumps(body).encode()),
            headers=headers,
            extensions={"timeout": {"connect": CONNECT_S}},
        )
        request.read()
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._http.handle_async_request(request)
                said = await _read(answer)
            found = json.loads(said) if said else {}
        except TimeoutError:
            return Reply("unknown", server, why="timeout")
        except httpx.TransportError as exc:
            return _told_apart(exc, server)
        except aiohttp.ClientError as exc:  # what the transport does not translate
            return Reply("unknown", server, why=type(exc).__name__)
        except ValueError:
            return Reply("unknown", server, status=answer.status_code, why="half a body")
        return Reply("answer", server, answer.status_code, found if isinstance(found, dict) else {})


@functools.lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    """Parsed once: most calls go to a few addresses and paths."""
    return httpx.URL(text)


async def _read(answer: httpx.Response) -> bytes:
    """The body as it came: nothing between services is compressed. The connection is free then."""
    stream: Any = answer.stream  # of httpx's two kinds, an asynchronous transport's
    try:
        return b"".join([part async for part in stream])
    finally:
        await stream.aclose()


def _unsure(reply: Reply) -> bool:
    """It may have worked: no whole answer, or one that does not say that nothing happened."""
    broken = reply.kind == "answer" and reply.status >= 500
    return reply.kind == "unknown" or (broken and reply.body.get("certain") is not True)


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, use_dns_cache=False)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


def _told_apart(exc: httpx.TransportError, server: str) -> Reply:
    """Was anything sent? Only a connection that was never made says no."""
    cause = exc.__cause__
    never = isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return Reply("not_sent" if never else "unknown", server, why=type(cause).__name__)


def _result(reply: Reply) -> str:
    if reply.kind != "answer":
        return reply.kind
    return "ok" if reply.status < 300 else "refused" if reply.status < 500 else "error"
