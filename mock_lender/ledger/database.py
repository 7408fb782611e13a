"""The ledger's connections: to the server that the witness calls the primary, and to no other.

When the witness names another one, or none, every connection is dropped at once: what was asked on
them is unknown. While there is none, callers wait for a little and are then told so; for them
nothing has happened.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import asyncpg

from mock_lender.cluster.postgres import Access
from mock_lender.cluster.witness import Witness

LOOK_S = 0.02
CONNECT_S = 2.0
CONTENDED = (
    asyncpg.CheckViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    # Two inserted the same new key at once; made again, the statement finds the other's row.
    asyncpg.UniqueViolationError,
)


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

    def __init__(self, witness_json: Path, access: Access, connections: int) -> None:
        self._witness_json = witness_json
        self._access = access
        self._connections = connections
        self._seen: tuple[int, int] | None = None
        self._pool: asyncpg.Pool | None = None
        self._where: tuple[int, int] | None = None
        self._there = asyncio.Event()

    async def there(self, within_s: float) -> None:
        """Wait for a primary. Raises TimeoutError."""
        await asyncio.wait_for(self._there.wait(), within_s)

    async def follow(self) -> None:
        """Keep to the primary that the witness names, until cancelled."""
        while True:
            with contextlib.suppress(
                OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError
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
        if where is not None and self._pool is None:
            pool = await asyncpg.create_pool(
                self._access.dsn(where[1]),
                min_size=min(4, self._connections),
                max_size=self._connections,
                connection_class=_Plain,
                command_timeout=None,
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

    async def rows(self, wait_s: float, statement: str, *values: object) -> list[Any]:
        """One statement, one round trip, never cancelled halfway.

        asyncpg turns a cancelled await into a cancel request, and a commit cancelled halfway is
        neither done nor undone for who asked: whoever can't wait goes away without it. Raises
        NoPrimaryError after `wait_s` without a primary, ContendedError when a race was lost,
        StoreError for everything else.
        """
        deadline_s = time.monotonic() + wait_s
        pool = self._pool
        if pool is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._there.wait(), deadline_s - time.monotonic())
            pool = self._pool
            if pool is None:
                raise NoPrimaryError
        rows: list[Any] = await asyncio.shield(_fetch(pool, statement, values))
        return rows


async def _fetch(pool: "asyncpg.Pool", statement: str, values: tuple[object, ...]) -> list[Any]:
    try:
        async with pool.acquire() as connection:
            return list(await connection.fetch(statement, *values))
    except CONTENDED as exc:
        raise ContendedError(type(exc).__name__) from exc
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as exc:
        raise StoreError(f"{type(exc).__name__}: {exc}") from exc
