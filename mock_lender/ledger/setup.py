"""The ledger's database before and after: schema and population in, books out, by COPY."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from mock_lender.cluster.config import CalendarConfig, TierConfig
from mock_lender.defects import sql

EXPORTS = {
    "draws": "SELECT draw_key, borrower, amount_fen, purpose, state, try, tier, requested_ns,"
    " decided_ns, ended_ns, cause, hop, reason, risk_policy, risk_ns, compliance_rules,"
    " compliance_ns FROM draws ORDER BY draw_key",
    "tries": "SELECT draw_key, try, tier, slice, own_slice, own_fen, payout_key, state, opened_ns,"
    " not_after_ns, ended_ns, ended_by FROM tries ORDER BY draw_key, try",
    "repayments": "SELECT repay_key, borrower, amount_fen, state, ended_ns FROM repayments"
    " ORDER BY repay_key",
    "versions": "SELECT account, version, limit_fen, outstanding_fen, held_fen, balance_fen,"
    " locked_ns, draw_key, try, event FROM versions ORDER BY account, version",
    "postings": "SELECT draw_key, try, event, account, amount_fen, locked_ns"
    " FROM postings ORDER BY id",
    "limits": "SELECT tier, hour_limit_fen, day_limit_fen, from_ns FROM limits"
    " ORDER BY from_ns, tier",
}
CONNECT_TRIES = 200
SQL = ("tables", "limits", "money", "draws", "sweep")
SCHEMA = tuple(Path(__file__).parent / "sql" / f"{name}.sql" for name in SQL)


async def _connect(dsn: str) -> "asyncpg.Connection":
    """The port accepts a little earlier than the server does. Raises the last refusal."""
    for _ in range(CONNECT_TRIES):
        try:
            return await asyncpg.connect(dsn, timeout=5)
        except asyncpg.CannotConnectNowError:
            await asyncio.sleep(0.01)
    return await asyncpg.connect(dsn, timeout=5)


def schema_digest() -> str:
    """Tells one schema from another, in twelve signs."""
    return hashlib.sha256(b"".join(part.read_bytes() for part in SCHEMA)).hexdigest()[:12]


async def create_schema(dsn: str) -> None:
    """Tables and functions, into an empty database."""
    connection = await _connect(dsn)
    for part in SCHEMA:
        await connection.execute(part.read_text())
    await connection.close()


async def prepare(
    dsn: str, password: str, population_csv: Path, tiers: Sequence[TierConfig],
    clock_offset_ns: int, defects: Sequence[str] = (),
    calendar: CalendarConfig = CalendarConfig(),  # noqa: B008  frozen
) -> None:  # fmt: skip
    """Population and tiers into a database that has the schema; from then on it has `password`.

    Each tier's money is moved into its slices from the treasury, like any later top-up. The
    defects come last.
    """
    connection = await _connect(dsn)
    # The password is 128 random bits: making it slow to guess would only slow down connecting.
    await connection.execute("SET scram_iterations = 64")
    await connection.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{password}'")
    await connection.copy_to_table(
        "borrowers",
        source=population_csv,
        columns=["borrower", "group", "limit_fen", "barred", "delinquent"],
        format="csv",
        header=True,
    )
    await connection.copy_records_to_table(
        "tiers",
        records=[
            (t.tier, t.bank, n, t.share, t.own_bp, t.closes, t.hour_limit_fen, t.day_limit_fen)
            for n, t in enumerate(tiers)
        ],
        columns=["tier", "bank", "place", "share", "own_bp", "closes", "hour_limit_fen",
                 "day_limit_fen"],
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO calendar (began_ns, hour_ns, day_hours) VALUES (now_ns($1), $2, $3)",
        clock_offset_ns, round(calendar.hour_s * 1e9), calendar.day_hours,
    )  # fmt: skip
    for tier in tiers:
        await connection.execute(
            "INSERT INTO slices (tier, slice, balance_fen)"
            " SELECT $1, n, 0 FROM generate_series(0, $2 - 1) n", tier.tier, tier.slices,
        )  # fmt: skip
        await connection.execute(
            "SELECT move_treasury($1, $2, 'opening-' || $1, 'opening', $3)",
            tier.tier, tier.balance_fen, clock_offset_ns,
        )  # fmt: skip
    try:
        await sql.spoil(connection, defects)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def shown(dsn: str, names: Sequence[str]) -> dict[str, str]:
    """Settings by SHOW."""
    connection = await _connect(dsn)
    found = {name: str(await connection.fetchval(f"SHOW {name}")) for name in names}
    await connection.close()
    return found


async def checkpoint(dsn: str) -> None:
    """CHECKPOINT and ANALYZE, so that neither falls into what is measured."""
    connection = await _connect(dsn)
    await connection.execute("CHECKPOINT")
    # A commit a table, none of them anybody's money: they need not wait for a standby that is slow.
    await connection.execute("SET synchronous_commit = local")
    await connection.execute("ANALYZE")
    await connection.close()


async def move_treasury(
    dsn: str, tier: str, amount_fen: int, key: str, clock_offset_ns: int
) -> bool:
    """Give a tier money, or take it away (below zero). False: it has not that much."""
    connection = await _connect(dsn)
    event = "top_up" if amount_fen >= 0 else "drain"
    try:
        await connection.execute(
            "SELECT move_treasury($1, $2, $3, $4, $5)",
            tier, amount_fen, key, event, clock_offset_ns,
        )  # fmt: skip
    except asyncpg.CheckViolationError:
        return False
    finally:
        await connection.close()
    return True


async def begin_calendar(dsn: str, began_ns: int) -> None:
    """The calendar's hours count from this moment, CLOCK_MONOTONIC; before anything is drawn."""
    connection = await _connect(dsn)
    await connection.execute("SELECT begin_calendar($1)", began_ns)
    await connection.close()


async def set_limits(
    dsn: str, tier: str, hour_fen: int | None, day_fen: int | None, clock_offset_ns: int
) -> int:
    """A tier has other limits from now on; None: as it was. From when, CLOCK_MONOTONIC, ns."""
    connection = await _connect(dsn)
    at_ns = await connection.fetchval(
        "SELECT set_limits($1, $2, $3, $4)", tier, hour_fen, day_fen, clock_offset_ns
    )
    await connection.close()
    return int(at_ns)


async def limits(dsn: str, tier: str) -> tuple[int | None, int | None]:
    """What may be drawn from a tier in an hour, and in a day, fen."""
    connection = await _connect(dsn)
    row = await connection.fetchrow(
        "SELECT hour_limit_fen, day_limit_fen FROM tiers WHERE tier = $1", tier
    )
    await connection.close()
    return row["hour_limit_fen"], row["day_limit_fen"]


async def pending(dsn: str) -> int:
    """Tries whose money is still held."""
    connection = await _connect(dsn)
    found = await connection.fetchval("SELECT count(*) FROM tries WHERE state = 'paying'")
    await connection.close()
    return int(found)


async def export(dsn: str, directory: Path) -> None:
    """The tables of EXPORTS as CSV with a header, null as nothing."""
    connection = await _connect(dsn)
    for table, query in EXPORTS.items():
        await connection.copy_from_query(
            query, output=directory / f"{table}.csv", format="csv", header=True
        )
    await connection.close()
