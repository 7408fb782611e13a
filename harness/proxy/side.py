"""One end of a connection through the proxy: a protocol that knows where its bytes go."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from harness.proxy.stages import Tail

# All sides of a process read into one buffer, one after the other: a chunk is never larger.
CHUNK_BYTES_MAX = 64 * 1024
_BUFFER = memoryview(bytearray(CHUNK_BYTES_MAX))
# Closed with this, a socket sends a reset, and what was not sent is dropped.
_NO_LINGER = struct.pack("ii", 1, 0)


class Events(Protocol):
    """The connection that a side belongs to."""

    def came(self, side: "Side", tail: Tail) -> None:
        """Nothing more comes from this side."""

    def gone(self, side: "Side") -> None:
        """This side has no transport any more."""

    def full(self, side: "Side", full: bool) -> None:
        """This side has too much to write, or has room again."""


class Side(asyncio.BufferedProtocol):
    """The client's or the server's end."""

    def __init__(self, events: Events) -> None:
        self.transport: asyncio.Transport | None = None
        self.received_bytes = 0
        self.unwanted = False  # a transport that comes now comes too late
        self.out: Callable[[bytes], None] = self._early
        self._events = events
        self._before: list[bytes] = []
        self._held = False
        self._clogged = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, but do what those do.
        self.transport = cast(asyncio.Transport, transport)
        if self.unwanted:
            self.transport.abort()

    def get_buffer(self, _sizehint: int) -> Any:
        return _BUFFER

    def buffer_updated(self, size: int) -> None:
        self.received_bytes += size
        self.out(bytes(_BUFFER[:size]))

    def _early(self, data: bytes) -> None:
        """There is no other side yet: no more is read until there is."""
        self._before.append(data)
        self.hold(held=True)

    def begin(self) -> None:
        """`out` leads somewhere now: what came before goes first."""
        before, self._before = self._before, []
        self.hold(held=False)
        for data in before:
            self.out(data)

    def eof_received(self) -> bool:
        self._events.came(self, "end")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if exc is not None:
            self._events.came(self, "reset")
        self._events.gone(self)

    def pause_writing(self) -> None:
        self._events.full(self, True)

    def resume_writing(self) -> None:
        self._events.full(self, False)

    def hold(self, *, held: bool | None = None, clogged: bool | None = None) -> None:
        """Read no more while there is a reason not to. A transport is paused and resumed in
        turn."""
        if held is not None:
            self._held = held
        if clogged is not None:
            self._clogged = clogged
        wanted = self._held or self._clogged
        if wanted != self._paused and self.transport is not None:
            if self.transport.is_closing():
                return
            self._paused = wanted
            if wanted:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def say_end(self) -> None:
        """Half-close: what is written already still goes out first."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()

    def close(self) -> None:
        """Write what there is to write, then close."""
        if self.transport is not None:
            self.transport.close()

    def abort(self, *, reset: bool) -> None:
        """At once; the other end sees an end or a reset."""
        if self.transport is not None:
            if reset:
                handle = self.transport.get_extra_info("socket")
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()
