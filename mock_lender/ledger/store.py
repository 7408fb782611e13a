"""The ledger's transactions: each is one statement, one round trip, and is never cancelled."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mock_lender.ledger.database import ContendedError, Database

# How long a transaction waits for a new primary before its caller is told that there is none:
# less than any caller waits, so that the caller learns that nothing has happened.
PRIMARY_WITHIN_S = 0.7
TRIES = 8


@dataclass(frozen=True, slots=True)
class Stale:
    """A try that has been paying for too long. `closes`: its bank can close the key; one that
    can't refuses the payout after `not_after_ns`, CLOCK_MONOTONIC."""

    draw_key: str
    try_: int
    bank: str
    payout_key: str
    closes: bool
    not_after_ns: int | None


class Store:
    """The books; replicas of the ledger share the database.

    `clock_offset_ns`: CLOCK_MONOTONIC minus the wall clock, the same for all replicas: the database
    knows only the latter. Methods raise StoreError when it is not known whether they worked,
    NoPrimaryError when nothing was asked, and ContendedError when all of it was undone.
    quota_latency_s, status_latency_s: how long a look at a quota, or a draw, keeps its connection.
    """

    def __init__(
        self,
        database: Database,
        clock_offset_ns: int,
        quota_latency_s: float = 0.0,
        status_latency_s: float = 0.0,
    ) -> None:
        self._database = database
        self._offset_ns = clock_offset_ns
        self._quota_latency_s = quota_latency_s
        self._status_latency_s = status_latency_s

    async def reserve(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Hold quota and tier money for a try; see draws.sql for the states it answers."""
        return await self._ask(
            str(body["draw_key"]),
            "SELECT reserve($1::jsonb, $2)",
            json.dumps(body),
            self._offset_ns,
        )

    async def refuse(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Store a final refusal by risk or compliance."""
        return await self._ask(
            str(body["draw_key"]), "SELECT refuse($1::jsonb, $2)", json.dumps(body), self._offset_ns
        )

    async def close(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Its borrower gives it up: it is never paid, unless it is paid or being paid by now."""
        return await self._ask(
            str(body["draw_key"]), "SELECT close_draw($1::jsonb, $2)", json.dumps(body),
            self._offset_ns,
        )  # fmt: skip

    async def post(self, draw_key: str, try_: int, by: str) -> dict[str, Any]:
        """The bank has paid this try."""
        return await self._end(draw_key, try_, "post", "paid", by)

    async def void(self, draw_key: str, try_: int, why: str, by: str) -> dict[str, Any]:
        """This try will never be paid: `why` is not_sent, bank_refused, closed or too_late."""
        return await self._end(draw_key, try_, "void", why, by)

    async def _end(self, draw_key: str, try_: int, event: str, why: str, by: str) -> dict[str, Any]:
        return await self._ask(
            draw_key,
            "SELECT end_try($1, $2, $3, $4, $5, $6)",
            draw_key,
            try_,
            event,
            why,
            by,
            self._offset_ns,
        )

    async def draw(self, draw_key: str) -> dict[str, Any] | None:
        """What the ledger knows of a draw, or None; on both disks before it is told."""
        if self._status_latency_s:
            found = await self._value(
                "SELECT look_up($1), pg_sleep($2)",
                draw_key,
                self._status_latency_s,
                about=draw_key,
            )
        else:
            found = await self._value("SELECT look_up($1)", draw_key, about=draw_key)
        return None if found is None else _object(found)

    async def quota(self, borrower: int) -> dict[str, Any] | None:
        """limit, outstanding, held and available of a borrower, fen; or None."""
        wanted = (
            "SELECT jsonb_build_object('limit_fen', limit_fen, 'outstanding_fen', outstanding_fen,"
            " 'held_fen', held_fen, 'available_fen', limit_fen - outstanding_fen - held_fen,"
            " 'age_ms', 0) FROM borrowers"
        )
        if self._quota_latency_s:
            found = await self._value(
                f"{wanted}, pg_sleep($2) WHERE borrower = $1", borrower, self._quota_latency_s
            )
        else:
            found = await self._value(f"{wanted} WHERE borrower = $1", borrower)
        return None if found is None else _object(found)

    async def tiers(self) -> dict[str, Any]:
        """What each tier has available, fen."""
        found = await self._value(
            "SELECT jsonb_object_agg(tier, fen) FROM"
            " (SELECT tier, sum(balance_fen) AS fen FROM slices GROUP BY tier) each_one"
        )
        return _object(found)

    async def now_ns(self) -> int:
        """The database's time, as CLOCK_MONOTONIC."""
        return int(await self._value("SELECT now_ns($1)", self._offset_ns))

    async def calendar(self) -> tuple[int | None, int, int]:
        """When its first hour begins, CLOCK_MONOTONIC, None while that was not told; how long an
        hour is, ns; and the hour whose planned shares hold, below 0: none."""
        asked = "SELECT began, began_ns, hour_ns, planned FROM calendar"
        (row,) = await self._database.rows(0.0, asked)
        return row["began_ns"] if row["began"] else None, row["hour_ns"], row["planned"]

    async def plan_hour(self, hour: int, shares: Mapping[str, float]) -> bool:
        """Let the draws go by these shares; False: somebody has done it."""
        asked = "SELECT plan_hour($1, $2::jsonb)"
        return bool(await self._value(asked, hour, json.dumps(dict(shares))))

    async def repay(self, repay_key: str, borrower: int, amount_fen: int) -> dict[str, Any]:
        """State repaid, refused (more than is outstanding) or key-reused; available_fen after."""
        return await self._ask(
            repay_key,
            "SELECT repay($1, $2, $3, $4)",
            repay_key,
            borrower,
            amount_fen,
            self._offset_ns,
        )

    async def claim_stale(
        self, again_s: float, most: int, not_of: Collection[str] = ()
    ) -> list[Stale]:
        """Tries to be ended, claimed for `again_s` and longer each time; none of the banks
        `not_of`."""
        rows = await self._database.rows(
            0.0, "SELECT * FROM claim_stale($1, $2, $3, $4)", int(again_s * 1e9), most,
            sorted(not_of), self._offset_ns,
        )  # fmt: skip
        return [
            Stale(
                r["draw_key"], r["try"], r["bank"], r["payout_key"], r["closes"],
                r["not_after_ns"],
            )
            for r in rows
        ]  # fmt: skip

    async def expire(self, older_s: float, most: int) -> int:
        """End draws that nobody has come back to; how many."""
        return int(
            await self._value(
                "SELECT expire($1, $2, $3)", int(older_s * 1e9), most, self._offset_ns
            )
        )

    async def _ask(self, about: str, statement: str, *values: object) -> dict[str, Any]:
        """A transaction that lost a race for the same money or the same locks is made again:
        the database has undone all of it."""
        for _ in range(TRIES):
            try:
                return _object(await self._value(statement, *values, about=about))
            except ContendedError:
                continue
        raise ContendedError(statement)

    async def _value(self, statement: str, *values: object, about: str = "") -> Any:
        """`about`: the key that the record of calls is to name."""
        rows = await self._database.rows(PRIMARY_WITHIN_S, statement, *values, draw_key=about)
        return rows[0][0] if rows else None


def _object(found: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(found)
    return answer
