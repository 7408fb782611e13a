"""A small HTTP/1.1 server for the API: whole requests in, whole answers out, all of it bounded."""

import asyncio
import http
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

HEAD_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 1024 * 1024
REQUEST_S = 15.0
IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """Header names in small letters; the path without its query, still quoted."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back."""

    status: int
    body: bytes = b""
    kind: str = "application/json"

    def encoded(self, *, keep_alive: bool) -> bytes:
        """As it goes over the wire."""
        lines = [
            f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}",
            "Server: drawproof",
            f"Connection: {'keep-alive' if keep_alive else 'close'}",
        ]
        if self.status != http.HTTPStatus.NO_CONTENT:
            lines += [f"Content-Type: {self.kind}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


Handler = Callable[[Request], Awaitable[Response]]


class _Parser(Protocol):
    """What is used of httptools' parser, which has no types."""

    def feed_data(self, data: bytes) -> None: ...
    def get_method(self) -> bytes: ...
    def should_keep_alive(self) -> bool: ...


class HttpSide(asyncio.Protocol):
    """One connection; requests are answered one after the other, in the order they came."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = cast(_Parser, httptools.HttpRequestParser(self))
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._size = 0
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._within(REQUEST_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        try:
            if self._size > HEAD_BYTES_MAX + BODY_BYTES_MAX:
                raise ValueError("too long")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self._refuse()

    # -- what the parser says -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path = self._url.decode("latin-1").partition("?")[0]
        self._size = 0
        self._waiting.append(
            Request(
                self._parser.get_method().decode(), path, self._headers, bytes(self._body),
                self._parser.should_keep_alive(),
            )
        )  # fmt: skip
        if self._task is None and self._transport is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        """Answer what waits; then read on."""
        while self._waiting and self._transport is not None:
            request = self._waiting.popleft()
            response = await self._handler(request)
            if self._transport is None:
                break
            self._transport.write(response.encoded(keep_alive=request.keep_alive))
            if not request.keep_alive:
                self._transport.close()
                break
        self._task = None
        if self._transport is not None and not self._transport.is_closing():
            self._within(IDLE_S)
            self._transport.resume_reading()

    def _within(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self) -> None:
        """What can't be read ends the connection, after what came before it has been answered."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._task is None:
            self._transport.write(Response(400).encoded(keep_alive=False))
        self._transport.close()
