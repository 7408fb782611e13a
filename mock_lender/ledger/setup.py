"""The ledger's database before and after: schema and population in, books out, by COPY."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from mock_lender.cluster.config import TierConfig

EXPORTS = {
    "draws": "SELECT draw_key, borrower, amount_fen, purpose, state, try, tier, requested_ns,"
    " decided_ns, ended_ns, cause, hop, reason, risk_policy, risk_ns, compliance_rules,"
    " compliance_ns FROM draws ORDER BY draw_key",
    "tries": "SELECT draw_key, try, tier, payout_key, state, opened_ns, ended_ns, ended_by"
    " FROM tries ORDER BY draw_key, try",
    "versions": "SELECT account, version, limit_fen, outstanding_fen, held_fen, balance_fen,"
    " locked_ns, draw_key, try, event FROM versions ORDER BY account, version",
    "postings": "SELECT draw_key, try, event, account, amount_fen, locked_ns"
    " FROM postings ORDER BY id",
}
CONNECT_TRIES = 200


async def _connect(dsn: str) -> "asyncpg.Connection":
    """The port accepts a little earlier than the server does. Raises the last refusal."""
    for _ in range(CONNECT_TRIES):
        try:
            return await asyncpg.connect(dsn, timeout=5)
        except asyncpg.CannotConnectNowError:
            await asyncio.sleep(0.01)
    return await asyncpg.connect(dsn, timeout=5)


async def prepare(
    dsn: str, population_csv: Path, tiers: Sequence[TierConfig], shown: Sequence[str]
) -> dict[str, str]:
    """Schema, population and tiers into an empty database; the settings `shown`, by SHOW."""
    connection = await _connect(dsn)
    await connection.execute(Path(__file__).with_name("schema.sql").read_text())
    await connection.copy_to_table(
        "borrowers",
        source=population_csv,
        columns=["borrower", "group", "limit_fen", "barred", "delinquent"],
        format="csv",
        header=True,
    )
    await connection.copy_records_to_table(
        "tiers",
        records=[(t.tier, t.bank, n, t.share, t.balance_fen) for n, t in enumerate(tiers)],
        columns=["tier", "bank", "place", "share", "balance_fen"],
    )
    await connection.execute("ANALYZE")
    settings = {name: str(await connection.fetchval(f"SHOW {name}")) for name in shown}
    await connection.close()
    return settings


async def checkpoint(dsn: str) -> None:
    """CHECKPOINT and ANALYZE, so that neither falls into what is measured."""
    connection = await _connect(dsn)
    await connection.execute("CHECKPOINT")
    await connection.execute("ANALYZE")
    await connection.close()


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
