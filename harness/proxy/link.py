"""Bytes through one proxy: a pair of connections, and the toxics that act on them now.

A toxic acts on connections that are open already, pooled ones too. When it is removed, what it
held back passes at once, in order.
"""

import asyncio
import random
from collections import deque
from typing import cast

from harness.proxy.toxics import NoToxic, Toxic

HELD_BYTES_MAX = 256 * 1024
CONNECT_S = 5.0


class Link:
    """One direction of one connection."""

    def __init__(self, source: "Side", target: "Side", dice: random.Random) -> None:
        self.toxic: Toxic = NoToxic()
        self._source = source
        self._target = target
        self._dice = dice
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    @property
    def alive(self) -> bool:
        """Is there still a connection to act on?"""
        return self._target.transport is not None

    def feed(self, data: bytes) -> None:
        """Bytes have come from the source; pass them on when their time has come."""
        delay_s = self.toxic.delay_s(self._dice)
        if not delay_s and not self._held:
            self._target.write(data)
            return
        loop = asyncio.get_running_loop()
        due_s = loop.time() + delay_s
        if self._held:
            due_s = max(due_s, self._held[-1][0])
        self._held.append((due_s, data))
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES_MAX:
            self._source.pause()
        self._arm()

    def end(self) -> None:
        """The source has no more: its target hears of it after what is held."""
        self._ended = True
        if not self._held:
            self._target.finish()

    def set_toxic(self, toxic: Toxic) -> None:
        """From now on. Without one, what is held passes at once."""
        self.toxic = toxic
        if isinstance(toxic, NoToxic):
            self._let_go(all_of_it=True)

    def _arm(self) -> None:
        if self._timer is None and self._held:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._held[0][0], self._due)

    def _due(self) -> None:
        self._timer = None
        self._let_go(all_of_it=False)

    def _let_go(self, *, all_of_it: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # A loop's timer may fire a clock tick early.
        now_s = asyncio.get_running_loop().time() + 0.0005
        while self._held and (all_of_it or self._held[0][0] <= now_s):
            _, data = self._held.popleft()
            self._held_bytes -= len(data)
            self._target.write(data)
        if self._held_bytes <= HELD_BYTES_MAX:
            self._source.resume()
        if self._held:
            self._arm()
        elif self._ended:
            self._target.finish()


class Side(asyncio.Protocol):
    """One end of a connection through the proxy."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.link: Link | None = None
        self.peer: Side | None = None
        self._early: list[bytes] = []
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, but do what those do.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.link is None:
            self._early.append(data)
        else:
            self.link.feed(data)

    def join(self, link: Link, peer: "Side") -> None:
        """The other end is there: what came before it goes first."""
        self.link, self.peer = link, peer
        for data in self._early:
            link.feed(data)
        self._early.clear()

    def eof_received(self) -> bool:
        if self.link is not None:
            self.link.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.peer is not None:
            if exc is not None:
                self.peer.abort()
            elif self.link is not None:
                self.link.end()

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.pause()

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.resume()

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Half-close, so that the answer to the last request still passes; close at the second."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.peer is None or self.peer.transport is None or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()

    def pause(self) -> None:
        # A transport may be paused and resumed only in turn.
        if self.transport is not None and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
