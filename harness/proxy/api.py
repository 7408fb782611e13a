"""Toxiproxy's HTTP API: its routes, its statuses, the words and the shape of its errors.

    GET /version            POST /reset           POST /populate        GET /metrics
    GET, POST /proxies      GET, POST, PATCH, DELETE /proxies/NAME
    GET, POST /proxies/NAME/toxics                GET, POST, PATCH, DELETE .../toxics/TOXIC

Whoever asks must know the token, if there is one. Browsers are refused in any case: a page that
somebody looks at must not be able to break things through a port of loopback. A browser can't hide
the host it has looked up (DNS rebinding), the origin of the page, nor what it is.
"""

import asyncio
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from harness.proxy.addresses import Address, is_loopback, read_address
from harness.proxy.collection import Proxies
from harness.proxy.described import Bad, Taken, Unknown
from harness.proxy.edge import Proxy
from harness.proxy.http_server import Request, Response

VERSION = "2.12.0"  # the API that is spoken, not a program's version
_TEXT = "text/plain; charset=utf-8"


class Api:
    """Answers one request at a time: each finds all proxies as the one before has left them."""

    def __init__(self, proxies: Proxies, token: str | None) -> None:
        self._proxies = proxies
        self._token = token
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Never raises for anything that a request can say."""
        refused = refusal(request.headers, self._token)
        if refused is not None:
            return _error(403, refused)
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        try:
            async with self._one_at_a_time:
                return await self._route(request, parts)
        except Unknown as exc:
            return _error(404, str(exc))
        except Taken as exc:
            return _error(409, str(exc))
        except Bad as exc:
            return _error(400, str(exc))
        except OSError as exc:  # an address that can't be had is no ApiError there, so 500
            return _error(500, f"listen tcp: {exc.strerror or exc}")

    async def _route(self, asked: Request, parts: list[str]) -> Response:
        match (asked.method, parts):
            case ("GET", ["version"]):
                return _json(200, {"version": VERSION})
            case ("GET", ["metrics"]):
                return Response(200, metrics(self._proxies.all()).encode(), _TEXT)
            case ("POST", ["reset"]):
                await self._proxies.reset()
                return Response(204)
            case ("POST", ["populate"]):
                made = await self._proxies.populate(_read(asked))
                return _json(201, {"proxies": [proxy.json() for proxy in made]})
            case (_, ["proxies"]):
                return await self._all(asked)
            case (_, ["proxies", name]):
                return await self._one(asked, self._proxies.get(name))
            case (_, ["proxies", name, "toxics"]):
                return self._toxics(asked, self._proxies.get(name))
            case (_, ["proxies", name, "toxics", toxic]):
                return self._toxic(asked, self._proxies.get(name), toxic)
            case (_, ["version" | "metrics" | "reset" | "populate"]):
                return Response(405)
        return Response(404, b"404 page not found\n", _TEXT)

    async def _all(self, asked: Request) -> Response:
        match asked.method:
            case "GET":
                return _json(200, {proxy.name: proxy.json() for proxy in self._proxies.all()})
            case "POST":
                return _json(201, (await self._proxies.add(_read(asked))).json())
        return Response(405)

    async def _one(self, asked: Request, proxy: Proxy) -> Response:
        match asked.method:
            case "GET":
                return _json(200, proxy.json())
            case "POST" | "PATCH":
                await self._proxies.change(proxy, _read(asked))
                return _json(200, proxy.json())
            case "DELETE":
                self._proxies.remove(proxy.name)
                return Response(204)
        return Response(405)

    def _toxics(self, asked: Request, proxy: Proxy) -> Response:
        match asked.method:
            case "GET":
                return _json(200, [toxic.json() for toxic in proxy.toxics()])
            case "POST":
                return _json(200, proxy.add_toxic(_read(asked)).json())
        return Response(405)

    def _toxic(self, asked: Request, proxy: Proxy, name: str) -> Response:
        match asked.method:
            case "GET":
                return _json(200, proxy.toxic(name).json())
            case "POST" | "PATCH":
                proxy.toxic(name)  # who is not there is said before what is wrong with the body
                return _json(200, proxy.change_toxic(name, _read(asked)).json())
            case "DELETE":
                proxy.remove_toxic(name)
                return Response(204)
        return Response(405)


def refusal(headers: Mapping[str, str], token: str | None) -> str | None:
    """Why somebody may not ask; None: they may."""
    if not _is_here(headers.get("host", "")):
        return "Host must be this machine"
    if "origin" in headers:
        return "Origin not allowed"
    if headers.get("user-agent", "").startswith("Mozilla/"):
        return "User agent not allowed"
    if token is not None and not hmac.compare_digest(
        headers.get("x-token", "").encode(), token.encode()
    ):
        return "X-Token"
    return None


def _is_here(host: str) -> bool:
    try:
        address = read_address(host, "Host") if ":" in host else Address(host, 80)
    except Bad:
        return False
    return is_loopback(address.host)


def metrics(proxies: list[Proxy]) -> str:
    """Toxiproxy's counters in Prometheus' text, over connections that have ended."""
    lines = []
    for word in ("received", "sent"):
        name = f"toxiproxy_proxy_{word}_bytes_total"
        lines += [f"# HELP {name} Bytes {word} of ended connections", f"# TYPE {name} counter"]
        for proxy in proxies:
            for direction, passed in proxy.passed.items():
                labels = {
                    "direction": direction, "listener": str(proxy.listen), "proxy": proxy.name,
                    "upstream": str(proxy.upstream),
                }  # fmt: skip
                quoted = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
                value = passed.received_bytes if word == "received" else passed.sent_bytes
                lines.append(f"{name}{{{quoted}}} {value}")
    return "\n".join([*lines, ""])


def _read(request: Request) -> Any:
    if not request.body:
        raise Bad("bad request body: EOF")
    try:
        return json.loads(request.body, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise Bad(f"bad request body: {exc}") from exc


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _json(status: int, value: object) -> Response:
    return Response(status, json.dumps(value).encode())


def _error(status: int, words: str) -> Response:
    return _json(status, {"error": words, "status": status})
