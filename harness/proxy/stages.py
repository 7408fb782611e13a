"""A toxic at work on one direction of one connection: what it holds, in order, until it may pass.

    source > Stage > Stage > Outlet > target

Stages are chained in the order in which their toxics were added. Each holds bytes of its own and
hands them on to the next; the last hands them to the outlet. Only the link (link.py) knows sockets.
"""

import asyncio
import math
from collections import deque
from typing import Literal, Protocol

from harness.proxy.toxics import Memory, Step, Toxic, Verb

# The loop's timers fire up to a millisecond early or late; half of one either way is on time.
SLACK_S = 0.0005
# Waits are looked at again at least this often; a loop's timers have an end.
WAIT_S_MAX = 3600.0
# Timers that fire late are made up for; what waited longer, for a reader that did not read, is not.
CAUGHT_UP_S = 0.1
# What keeping a chunk costs besides its bytes.
CHUNK_BYTES = 128

# How a stream ends: in order, or with a reset.
Tail = Literal["", "end", "reset"]


class Outlet(Protocol):
    """Where bytes go on to."""

    @property
    def full(self) -> bool:
        """Better to wait: what comes now is only piled up."""

    def feed(self, data: bytes) -> None: ...

    def finish(self, tail: Tail) -> None:
        """Nothing comes after this."""


class Keeper(Protocol):
    """Who answers for what stages hold, and for the connection."""

    def keep(self, size: int) -> None:
        """So many bytes more are held; fewer, if negative."""

    def lose(self, size: int) -> None:
        """So many bytes will never pass."""

    def cut(self, verb: Verb) -> None:
        """Close or reset the connection, both directions."""


class Stage:
    """One toxic on one direction of one connection. To be started when it has its place."""

    __slots__ = (
        "_held", "_keeper", "_loop", "_step", "_tail", "_tail_s", "_taken", "_timer", "_toxic",
        "dead", "memory", "name", "next",
    )  # fmt: skip

    full = False

    def __init__(
        self, name: str, toxic: Toxic, memory: Memory, keeper: Keeper, following: Outlet
    ) -> None:
        self.name = name
        self.memory = memory
        self.next = following
        self.dead = False
        self._toxic = toxic
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, bytes]] = deque()
        self._taken = 0  # so many bytes of the first chunk have passed
        self._tail: Tail = ""
        self._tail_s = 0.0
        self._step: Step | None = None
        self._timer: asyncio.Handle | None = None

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        if self.dead:
            return
        self._keeper.keep(len(data) + CHUNK_BYTES)
        self._held.append((self._loop.time(), data))
        if len(self._held) == 1:
            self.run()

    def finish(self, tail: Tail) -> None:
        """Nothing more comes: what is held passes first."""
        if not self.dead:
            self._tail, self._tail_s = tail, self._loop.time()
            if not self._held:
                self.run()

    def change(self, toxic: Toxic) -> None:
        """Other settings, from now on and for what is held already."""
        if toxic == self._toxic:
            return
        self._toxic = toxic
        self._step = None
        self.memory.sizes.clear()
        self.memory.began_s = self.memory.free_s = self._loop.time()
        self.run()

    def leave(self) -> None:
        """The toxic is gone: all that is held passes at once, in order, and then the tail."""
        if self.dead:
            return
        if self._toxic.spoils:
            self._keeper.cut("close")
            return
        held, tail = [data for _, data in self._held], self._tail
        if held:
            held[0] = held[0][self._taken :]
        self.kill(lost=False)
        for data in held:
            self.next.feed(data)
        if tail:
            self.next.finish(tail)

    def kill(self, *, lost: bool = True) -> None:
        """Let go of everything: nothing comes from here any more."""
        self.dead = True
        self._disarm()
        left = sum(len(data) for _, data in self._held) - self._taken
        self._keeper.keep(-left - CHUNK_BYTES * len(self._held))
        if lost and left:
            self._keeper.lose(left)
        self._held.clear()
        self._taken = 0
        self._tail = ""

    def run(self) -> None:
        """Do what is due, then wait for what is due next."""
        self._disarm()
        while not self.dead and (self._held or self._tail):
            if self._step is None:
                self._step = self._decide()
            step = self._step
            blocked = self.next.full and step.verb in ("pass", "last")
            if blocked or step.due_s > self._loop.time() + SLACK_S:
                break
            self._step = None
            self._do(step)
            if step.alone and not self.dead:
                self._timer = self._loop.call_soon(self.run)
                return
        if not self.dead:
            self._arm()

    def _decide(self) -> Step:
        if self._held:
            came_s, data = self._held[0]
            return self._toxic.step(self.memory, came_s, len(data) - self._taken)
        return self._toxic.end(self.memory, self._tail_s)

    def _do(self, step: Step) -> None:
        if step.verb in ("close", "reset"):
            self._keeper.cut(step.verb)
        elif not self._held:
            tail, self._tail = self._tail, ""
            self.next.finish(tail)
        else:
            self._pass(step)

    def _pass(self, step: Step) -> None:
        data = self._take(step.size)
        self.memory.passed_bytes += len(data)
        self.memory.free_s = max(step.due_s, self._loop.time() - CAUGHT_UP_S)
        if step.verb == "drop":
            self._keeper.lose(len(data))
        else:
            self.next.feed(data)
        if step.verb == "last":
            self._keeper.cut("close")

    def _take(self, size: int) -> bytes:
        """The first bytes held, no more than are left of the first chunk."""
        data = self._held[0][1]
        start, self._taken = self._taken, self._taken + size
        if self._taken >= len(data):
            self._held.popleft()
            self._taken = 0
            self._keeper.keep(-CHUNK_BYTES)
        piece = data[start : start + size]
        self._keeper.keep(-len(piece))
        return piece

    def _arm(self) -> None:
        """A timer for what is due next. What waits for room instead is run when there is some."""
        self._disarm()  # a reader that had room at once has armed it in the meantime
        due_s = math.inf
        if self._step is not None and not self.next.full:
            due_s = self._step.due_s
        closes_s = self._toxic.closes_s(self.memory)
        if closes_s is not None:
            due_s = min(due_s, closes_s)
        now_s = self._loop.time()
        if closes_s is not None and closes_s <= now_s + SLACK_S:
            self._keeper.cut("close")
        elif due_s < math.inf:
            self._timer = self._loop.call_later(min(max(due_s - now_s, 0.0), WAIT_S_MAX), self.run)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
