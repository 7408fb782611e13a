"""One proxied edge: a listener, an upstream, the connections between them, and their toxics."""

import asyncio
import random
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.proxy.addresses import Address, listening, reserved
from harness.proxy.connection import Connection
from harness.proxy.described import (
    STREAMS,
    Described,
    Taken,
    Unknown,
    changed_toxic,
    read_toxic,
)
from harness.proxy.link import Holdings
from harness.proxy.struck import Struck
from harness.seeds import stream

CONNECT_S = 5.0


@dataclass(slots=True)
class Passed:
    """Bytes of one direction over connections that have ended."""

    received_bytes: int = 0
    sent_bytes: int = 0


class Proxy:
    """One proxied edge. downstream: from the server to the client, as Toxiproxy has it."""

    def __init__(
        self,
        name: str,
        listen: Address,
        upstream: Address,
        seed: int,
        holdings: Holdings,
        struck: Struck | None = None,
    ) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.passed: Mapping[str, Passed] = {one: Passed() for one in STREAMS}
        self._seed = seed
        self._holdings = holdings
        self._struck = struck
        self._toxics: dict[str, Described] = {}
        self._connections: set[Connection] = set()
        self._count = 0
        self._server: asyncio.Server | None = None
        # Bound and never listening: while the proxy is down connections are refused, and nobody
        # else can take its port.
        self._place: Any = None
        self._joining: set[asyncio.Task[None]] = set()

    @property
    def enabled(self) -> bool:
        """Does it listen?"""
        return self._server is not None

    async def enable(self) -> None:
        """Listen. Raises OSError, when the address can't be had."""
        if self._server is not None:
            return
        if self._place is None:
            self._place = reserved(self.listen)
            self.listen = Address(*self._place.getsockname()[:2])
        self._server = await listening(self._accept, self._place)

    def disable(self) -> None:
        """Refuse connections, and close those that are open. The port stays ours."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._joining):
            task.cancel()
        for connection in list(self._connections):
            connection.drop()

    def close(self) -> None:
        """Down, and the port given back."""
        self.disable()
        if self._place is not None:
            self._place.close()
            self._place = None

    async def move(self, listen: Address, upstream: Address, *, enabled: bool) -> None:
        """To other addresses; open connections are closed if one changes. Raises OSError."""
        if listen != self.listen:
            self.close()
        elif upstream != self.upstream or not enabled:
            self.disable()
        self.listen, self.upstream = listen, upstream
        if enabled:
            await self.enable()
        else:
            self.disable()

    # -- connections --------------------------------------------------------------------------

    def _accept(self) -> asyncio.BaseProtocol:
        met = None if self._struck is None else partial(self._struck.met, self.name)
        connection = Connection(self._count, self._make_dice, self._holdings, self._over, met)
        self._count += 1
        self._connections.add(connection)
        task = asyncio.get_running_loop().create_task(self._join(connection))
        self._joining.add(task)
        task.add_done_callback(self._joined)
        return connection.client

    def _make_dice(self, name: str) -> random.Random:
        return stream(self._seed, f"proxy/{self.name}/{name}")

    def _joined(self, task: "asyncio.Task[None]") -> None:
        """A connection that could not be joined is our defect: say so, in the proxy's log."""
        self._joining.discard(task)
        if not task.cancelled() and task.exception() is not None:
            traceback.print_exception(task.exception())

    async def _join(self, connection: Connection) -> None:
        """Connect to the upstream; a client of one that refuses is closed at once, of one that
        resets what it has just accepted is reset."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: connection.server, *self.upstream)
        except (OSError, UnicodeError) as exc:  # TimeoutError is an OSError; a name may not be one
            connection.drop(reset=isinstance(exc, ConnectionResetError))
            return
        connection.join(*self._by_stream())

    def _by_stream(self) -> tuple[list[Described], list[Described]]:
        """The toxics of each direction, in the order they were added."""
        up = [toxic for toxic in self._toxics.values() if toxic.stream == "upstream"]
        down = [toxic for toxic in self._toxics.values() if toxic.stream == "downstream"]
        return up, down

    def _over(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for name, link in (("upstream", connection.up), ("downstream", connection.down)):
            passed = self.passed[name]
            passed.received_bytes += link.source.received_bytes
            passed.sent_bytes += link.source.received_bytes - link.lost_bytes

    # -- toxics -------------------------------------------------------------------------------

    def toxic(self, name: str) -> Described:
        """Raises Unknown."""
        try:
            return self._toxics[name]
        except KeyError:
            raise Unknown("toxic not found") from None

    def toxics(self) -> list[Described]:
        """Upstream ones first, in the order they were added, as Toxiproxy lists them."""
        up, down = self._by_stream()
        return up + down

    def add_toxic(self, given: Any) -> Described:
        """From Toxiproxy's JSON. Raises BadToxic or Taken."""
        toxic = read_toxic(given)
        if toxic.name in self._toxics:
            raise Taken("toxic already exists")
        self._toxics[toxic.name] = toxic
        if self._struck is not None and toxic.picks:
            self._struck.begun(self.name, toxic.name)
        self._follow()
        return toxic

    def change_toxic(self, name: str, given: Any) -> Described:
        """Raises Unknown or BadToxic."""
        self._toxics[name] = changed_toxic(self.toxic(name), given)
        self._follow()
        return self._toxics[name]

    def remove_toxic(self, name: str) -> None:
        """Raises Unknown."""
        del self._toxics[self.toxic(name).name]
        self._follow()

    def remove_toxics(self) -> None:
        """All of them."""
        self._toxics.clear()
        self._follow()

    def _follow(self) -> None:
        up, down = self._by_stream()
        for connection in list(self._connections):
            connection.follow(up, down)

    def json(self) -> dict[str, object]:
        """As Toxiproxy describes one."""
        return {
            "name": self.name,
            "listen": str(self.listen),
            "upstream": str(self.upstream),
            "enabled": self.enabled,
            "toxics": [toxic.json() for toxic in self.toxics()],
        }
