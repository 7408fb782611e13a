"""One try on the wire: httpx over aiohttp, and what may have been sent.

The transport's exceptions lie about what was sent (httpx-aiohttp 0.2.0 raises ConnectTimeout for
a refused connection and for a peer that hangs up after the request), so what happened is told by
the exception's cause. Only POST and GET are used with care for aiohttp's habit of silently sending
idempotent methods again on a stale connection: those connections are closed by us long before the
server would (4 s against 30 s), and no GET moves money.
"""

import asyncio
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

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

    @property
    def unsure(self) -> bool:
        """It may have worked: no whole answer, or one that does not say that nothing happened."""
        broken = self.kind == "answer" and self.status >= 500
        return self.kind == "unknown" or (broken and self.body.get("certain") is not True)

    @property
    def result(self) -> str:
        """How the record of calls names it."""
        if self.kind != "answer":
            return self.kind
        return "ok" if self.status < 300 else "refused" if self.status < 500 else "error"


class Wire:
    """Connections from one replica to all that it calls."""

    def __init__(self) -> None:
        # The transport alone: redirects, cookies and authentication, which only a client has, are
        # not for calls between services, and cost a quarter of each call.
        self._http: httpx.AsyncBaseTransport = AiohttpTransport(verify=False, client=_session)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(
        self,
        server: str,
        address: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        limit_s: float,
    ) -> Reply:
        """Send once, and wait `limit_s` for the whole answer."""
        request = httpx.Request(
            method,
            _url(f"http://{address}{path}"),
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
