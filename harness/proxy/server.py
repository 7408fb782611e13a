"""The proxy process: `python -m harness.proxy.server RUN SEED`, with Toxiproxy's HTTP API.

Listens on loopback only; every request needs the run's token (RUN/.token). Where it listens is
written to RUN/work/proxy.json.
"""

import asyncio
import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uvloop

from harness.proxy.proxies import Proxies, Taken, Unknown
from harness.proxy.toxics import BadToxic

VERSION = "2.12.0"  # the API that is spoken, not a program's version
READY = "proxy.json"
BODY_BYTES_MAX = 64 * 1024
REQUEST_S = 5.0


class Api:
    """Toxiproxy's endpoints, as (status, JSON) of (method, path, JSON)."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    async def answer(self, method: str, path: str, body: Any) -> tuple[int, object]:
        """Errors have Toxiproxy's statuses: 400 bad input, 404 unknown, 409 taken."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        try:
            return await self._route(method, parts, body)
        except Unknown as exc:
            return 404, _error(404, f"not found: {exc}")
        except Taken as exc:
            return 409, _error(409, f"already exists: {exc}")
        except BadToxic as exc:
            return 400, _error(400, str(exc))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            return 400, _error(400, f"bad request: {exc}")

    async def _route(self, method: str, parts: list[str], body: Any) -> tuple[int, object]:
        match (method, parts):
            case ("GET", ["version"]):
                return 200, {"version": VERSION}
            case ("POST", ["reset"]):
                self._proxies.reset()
                return 204, None
            case ("GET", ["proxies"]):
                return 200, {name: p.described() for name, p in self._proxies.by_name.items()}
            case ("POST", ["proxies"]):
                proxy = await self._proxies.add(str(body["name"]), _address(body.get("upstream")))
                return 201, proxy.described()
            case ("GET", ["proxies", name]):
                return 200, self._proxies.get(name).described()
            case ("POST", ["proxies", name]):
                proxy = self._proxies.get(name)
                proxy.upstream = _address(body["upstream"])
                return 200, proxy.described()
            case ("DELETE", ["proxies", name]):
                await self._proxies.remove(name)
                return 204, None
            case ("GET", ["proxies", name, "toxics"]):
                return 200, list(self._proxies.get(name).toxics.values())
            case ("POST", ["proxies", name, "toxics"]):
                return 200, self._proxies.get(name).add_toxic(body)
            case ("DELETE", ["proxies", name, "toxics", toxic]):
                self._proxies.get(name).remove_toxic(toxic)
                return 204, None
        return 404, _error(404, "no such endpoint")


def _error(status: int, title: str) -> dict[str, object]:
    return {"error": title, "status": status}


def _address(text: object) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = str(text).rpartition(":")
    if host != "127.0.0.1":
        raise ValueError("upstream: 127.0.0.1:PORT")
    return host, int(port)


async def serve_api(
    api: Api, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request, one answer, then the connection is closed."""
    answer: object
    try:
        async with asyncio.timeout(REQUEST_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.split("\r\n")
            method, path, _ = request.split(" ", 2)
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            length = int(headers.get("content-length") or 0)
            if not hmac.compare_digest(headers.get("x-token", ""), token):
                status, answer = 403, _error(403, "X-Token")
            elif not 0 <= length <= BODY_BYTES_MAX:
                status, answer = 413, _error(413, f"at most {BODY_BYTES_MAX} bytes")
            else:
                data = await reader.readexactly(length)
                status, answer = await _answer(api, method, path, data)
        body = b"" if answer is None else json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # a request that can't be read gets no answer
    finally:
        writer.close()


async def _answer(api: Api, method: str, path: str, data: bytes) -> tuple[int, object]:
    try:
        body = json.loads(data) if data else {}
    except ValueError:
        return 400, _error(400, "the body is not JSON")
    return await api.answer(method, path.partition("?")[0], body)


async def serve(run: Path, seed: int) -> None:
    """Until killed."""
    api = Api(Proxies(seed))
    token = (run / ".token").read_text()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_api(api, token, reader, writer)

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    partial = run / "work" / f"{READY}.partial"
    partial.write_text(json.dumps({"url": f"http://{host}:{port}"}))
    os.replace(partial, run / "work" / READY)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
