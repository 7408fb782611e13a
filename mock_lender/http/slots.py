"""So many at once, and who waits, waits in turn; some may be out of use for a while."""

import asyncio
from collections import deque


class Slots:
    """`most` of them. Those taken out of use are taken as they become free: nobody who has one
    loses it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.out = 0
        self._free = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def usable(self) -> int:
        """How many there are at present, in use or not."""
        return self.most - self.out

    async def acquire(self) -> None:
        """Wait for one, first in first out. Cancelled while it waits, it has none."""
        if self._free > 0:  # then nobody waits
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had come at that very moment
                self.release()
            raise

    def release(self) -> None:
        """Give one back."""
        self._free += 1
        self._hand_out()

    def take_out(self, number: int) -> None:
        """So many more are out of use; below zero: they are usable again. Never more than all."""
        number = min(number, self.usable)
        self.out += number
        self._free -= number
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()
