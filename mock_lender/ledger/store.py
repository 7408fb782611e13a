"""The ledger's transactions: each is one statement, one round trip, and is never cancelled.

A statement that may commit is left to finish: asyncpg turns a cancelled await into a cancel
request, and a commit cancelled halfway is neither done nor undone for who asked. So no call here
takes a timeout; callers that can't wait go away and hold the outcome for unknown.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import asyncpg


class StoreError(Exception):
    """The database refused or went away; whether the statement committed is not known."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A try that has been paying for too long."""

    draw_key: str
    try_: int
    bank: str
    payout_key: str
    amount_fen: int


class Store:
    """A pool of connections to the one database; replicas of the ledger share the database."""

    def __init__(self, pool: Any, clock_offset_ns: int) -> None:
        self._pool = pool
        self._offset_ns = clock_offset_ns

    @classmethod
    async def open(cls, dsn: str, connections: int, clock_offset_ns: int) -> "Store":
        """`connections` is the most that are used at once. `clock_offset_ns`: CLOCK_MONOTONIC minus
        the wall clock, the same for all replicas: the database knows only the latter."""
        pool = await asyncpg.create_pool(
            dsn, min_size=min(4, connections), max_size=connections, command_timeout=None
        )
        return cls(pool, clock_offset_ns)

    def close(self) -> None:
        """Drop the connections: a graceful close can hang on a frozen server."""
        self._pool.terminate()

    async def reserve(self, body: dict[str, Any]) -> dict[str, Any]:
        """Hold quota and tier money for a try; see schema.sql for the states it answers."""
        return await self._ask("SELECT reserve($1::jsonb, $2)", json.dumps(body), self._offset_ns)

    async def refuse(self, body: dict[str, Any]) -> dict[str, Any]:
        """Store a final refusal by risk or compliance."""
        return await self._ask("SELECT refuse($1::jsonb, $2)", json.dumps(body), self._offset_ns)

    async def post(self, draw_key: str, try_: int, by: str) -> dict[str, Any]:
        """The bank has paid this try."""
        return await self._end(draw_key, try_, "post", "paid", by)

    async def void(self, draw_key: str, try_: int, why: str, by: str) -> dict[str, Any]:
        """This try will never be paid: `why` is not_sent, bank_refused or closed."""
        return await self._end(draw_key, try_, "void", why, by)

    async def _end(self, draw_key: str, try_: int, event: str, why: str, by: str) -> dict[str, Any]:
        return await self._ask(
            "SELECT end_try($1, $2, $3, $4, $5, $6)",
            draw_key,
            try_,
            event,
            why,
            by,
            self._offset_ns,
        )

    async def draw(self, draw_key: str) -> dict[str, Any] | None:
        """What the ledger knows of a draw, or None."""
        found = await self._value("SELECT told(d) FROM draws d WHERE draw_key = $1", draw_key)
        return None if found is None else _object(found)

    async def quota(self, borrower: int) -> dict[str, Any] | None:
        """limit, outstanding, held and available of a borrower, fen; or None."""
        found = await self._value(
            "SELECT jsonb_build_object('limit_fen', limit_fen, 'outstanding_fen', outstanding_fen,"
            " 'held_fen', held_fen, 'available_fen', limit_fen - outstanding_fen - held_fen,"
            " 'age_ms', 0) FROM borrowers WHERE borrower = $1",
            borrower,
        )
        return None if found is None else _object(found)

    async def claim_stale(self, older_s: float, again_s: float, most: int) -> list[Stale]:
        """Tries to be closed, claimed for `again_s` so that no other sweeper takes them."""
        values = (int(older_s * 1e9), int(again_s * 1e9), most, self._offset_ns)
        try:
            async with self._pool.acquire() as connection:
                rows = await connection.fetch("SELECT * FROM claim_stale($1, $2, $3, $4)", *values)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as exc:
            raise StoreError(str(exc)) from exc
        return [
            Stale(r["draw_key"], r["try"], r["bank"], r["payout_key"], r["amount_fen"])
            for r in rows
        ]

    async def _ask(self, statement: str, *values: object) -> dict[str, Any]:
        return _object(await self._value(statement, *values))

    async def _value(self, statement: str, *values: object) -> Any:
        return await asyncio.shield(self._fetch(statement, values))

    async def _fetch(self, statement: str, values: tuple[object, ...]) -> Any:
        try:
            async with self._pool.acquire() as connection:
                return await connection.fetchval(statement, *values)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as exc:
            raise StoreError(str(exc)) from exc


def _object(found: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(found)
    return answer
