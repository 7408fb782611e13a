"""The ledger's connections: to the server that the witness calls the primary, and to no other.

When the witness names another one, or none, every connection is dropped at once: what was asked on
them is unknown. While there is none, callers wait for a little and are then told so; for them
nothing has happened.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from mock_lender.cluster.postgres import Access
from mock_lender.cluster.witness import Witness
from mock_lender.telemetry import Telemetry

LOOK_S = 0.02
CONNECT_S = 2.0
# InternalClientError: a pool that was dropped while a connection was on its way back to it.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
CONTENDED = (
    asyncpg.CheckViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    # Two inserted the same new key at once; made again, the statement finds the other's row.
    asyncpg.UniqueViolationError,
)


Way = Callable[[str, bool], float]


def _here(_server: str, _both: bool) -> float:
    return 0.0


class StoreError(Exception):
    """The database refused or went away; whether the statement committed is not known."""


class ContendedError(Exception):
    """The database undid the statement: another one was faster. Nothing has happened."""


class NoPrimaryError(Exception):
    """There is no primary for the moment; nothing was sent."""


class _Plain(asyncpg.Connection):
    """No clean-up query when a connection goes back: statements here leave nothing behind, it
    would be a second round trip for each, and would hang on a frozen server."""

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool under one epoch of the witness. `follow` must run beside it."""

    # A cancelled commit is neither done nor undone for who asked.
    COMMAND_TIMEOUT_S: float | None = None

    def __init__(
        self, witness_json: Path, access: Access, connections: int, telemetry: Telemetry
    ) -> None:
        self._telemetry = telemetry
        self._server = "database"
        self._witness_json = witness_json
        self._access = access
        self._connections = connections
        self._seen: tuple[int, int] | None = None
        self._pool: asyncpg.Pool | None = None
        self._where: tuple[int, int] | None = None
        self._there = asyncio.Event()
        self.asked: set[asyncio.Task[list[Any]]] = set()
        # How long the way to a server takes, s; True: and from there to the other one.
        self.way_s: Way = _here

    async def there(self, within_s: float) -> None:
        """Wait for a primary. Raises TimeoutError."""
        await asyncio.wait_for(self._there.wait(), within_s)

    async def follow(self) -> None:
        """Keep to the primary that the witness names, until cancelled."""
        while True:
            with contextlib.suppress(
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                TimeoutError,
            ):
                await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        stat = self._witness_json.stat()
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._seen and (self._where is None or self._pool is not None):
            return
        witness = Witness.read(self._witness_json)
        where = None if witness.port is None else (witness.epoch, witness.port)
        if where != self._where:
            self._where = where
            self.close()
        self._seen = seen
        self._server = witness.primary or self._server
        if where is not None and self._pool is None:
            pool = await asyncpg.create_pool(
                self._access.dsn(where[1]),
                min_size=min(4, self._connections),
                max_size=self._connections,
                connection_class=_Plain,
                command_timeout=self.COMMAND_TIMEOUT_S,
                max_inactive_connection_lifetime=0,
                timeout=CONNECT_S,
            )
            if where == self._where:
                self._pool = pool
                self._there.set()
            else:
                pool.terminate()

    def close(self) -> None:
        """Drop the connections: a graceful close can hang on a frozen server."""
        self._there.clear()
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def rows(
        self, wait_s: float, statement: str, *values: object, draw_key: str = ""
    ) -> list[Any]:
        """One statement, one round trip, never cancelled halfway; a row of telemetry each.

        asyncpg turns a cancelled await into a cancel request, and a commit cancelled halfway is
        neither done nor undone for who asked: whoever can't wait goes away without it. Raises
        NoPrimaryError after `wait_s` without a primary, ContendedError when a race was lost,
        StoreError for everything else.
        """
        start_ns, result, server = time.monotonic_ns(), "not_sent", self._server
        try:
            pool = await self._pooled(wait_s)
            await self._travel(self._server, both=bool(draw_key))
            # Who is asked, not who is the primary by the time of the answer.
            result, server = "unknown", self._server
            rows = await asyncio.shield(self._ask(pool, statement, values))
            result = "ok"
        except ContendedError:
            result = "refused"
            raise
        finally:
            self._telemetry.call(
                draw_key=draw_key, attempt=0, edge="ledger->database",
                client=self._telemetry.replica, server=server, side="client",
                start_ns=start_ns, done_ns=time.monotonic_ns(), sent=result != "not_sent",
                result=result,
            )  # fmt: skip
        return rows

    async def _travel(self, server: str, *, both: bool) -> None:
        """The time that the way to another site takes, before anything is asked. What is about one
        draw is on both databases before it is told: they are at different sites."""
        way_s = self.way_s(server, both)
        if way_s:
            await asyncio.sleep(way_s)

    def _ask(
        self, pool: "asyncpg.Pool", statement: str, values: tuple[object, ...]
    ) -> "asyncio.Task[list[Any]]":
        """In a task of its own, kept until it has ended: its caller may have gone by then."""
        task = asyncio.create_task(_fetch(pool, statement, values))
        self.asked.add(task)
        task.add_done_callback(self._answered)
        return task

    def _answered(self, task: "asyncio.Task[list[Any]]") -> None:
        self.asked.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains when nobody waited for it

    async def _pooled(self, wait_s: float) -> "asyncpg.Pool":
        """The pool, when there is a primary. Raises NoPrimaryError."""
        if self._pool is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._there.wait(), wait_s)
            if self._pool is None:
                raise NoPrimaryError
        return self._pool


async def _fetch(pool: "asyncpg.Pool", statement: str, values: tuple[object, ...]) -> list[Any]:
    try:
        async with pool.acquire() as connection:
            return list(await connection.fetch(statement, *values))
    except CONTENDED as exc:
        raise ContendedError(type(exc).__name__) from exc
    except LOST as exc:
        raise StoreError(f"{type(exc).__name__}: {exc}") from exc
