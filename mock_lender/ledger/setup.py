"""The ledger's database before and after: schema and population in, books out, by COPY."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from mock_lender.cluster.config import TierConfig
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
}
CONNECT_TRIES = 200
SCHEMA = tuple(
    Path(__file__).parent / "sql" / f"{name}.sql" for name in ("tables", "money", "draws", "sweep")
)


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
        records=[(t.tier, t.bank, n, t.share, t.own_bp, t.closes) for n, t in enumerate(tiers)],
        columns=["tier", "bank", "place", "share", "own_bp", "closes"],
    )
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


async def pending(dsn: str) -> int:
    """Tries whose money is still held."""
    connection = await _connect(dsn)
    found = await connection.fetchval("SELECT count(*) FROM tries WHERE state = 'paying'")
    await connection.close()
    return int(found)


async def export(dsn: str, directory: Path) -> None:
    """draws, tries, versions and postings as CSV with a header, null as nothing."""
    connection = await _connect(dsn)
    for table, query in EXPORTS.items():
        await connection.copy_from_query(
            query, output=directory / f"{table}.csv", format="csv", header=True
        )
    await connection.close()
