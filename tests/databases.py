"""A database of the ledger's own for tests: one server, or what the monitor makes of two."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.target.cache import cache_dir
from mock_lender.cluster.binaries import copy_template
from mock_lender.cluster.clocks import offset_ns
from mock_lender.cluster.config import CalendarConfig, TierConfig
from mock_lender.cluster.postgres import Access, Server
from mock_lender.cluster.template import TEMPLATE_ACCESS, make_template
from mock_lender.cluster.witness import Member, Witness
from mock_lender.ledger import setup
from mock_lender.ledger.database import Database
from mock_lender.ledger.store import Store
from mock_lender.telemetry import Telemetry

OFFSET_NS = offset_ns()
ACCESS = Access("password-of-a-test")
LIMIT_FEN = 1000
PEOPLE = "\n".join(f"{n},new,{LIMIT_FEN},0,0" for n in range(1, 20_000))
TERMS = {
    "retention_ns": 3600 * 10**9, "look_after_ns": 2 * 10**9, "pay_within_ns": 10**9,
    "fall_through": True, "rebalance": True,
}  # fmt: skip


@dataclass(frozen=True)
class Books:
    """Where a test's database is."""

    witness_json: Path
    dsn: str


@contextmanager
def one_database(
    folder: Path,
    people: str,
    tiers: list[TierConfig],
    defects: Sequence[str] = (),
    calendar: CalendarConfig = CalendarConfig(),  # noqa: B008  frozen
) -> Iterator[Books]:
    """One primary without a standby. `people`: rows of the population's CSV, without a header."""
    data = folder / "database-1"
    make = functools.partial(make_template, folder)
    copy_template(cache_dir(folder), f"test-{setup.schema_digest()}", make, data)
    server = Server.start("database-1", data, folder / "log", 60)
    try:
        server.wait_listening()
        population = folder / "population.csv"
        population.write_text(f"borrower,group,limit_fen,barred,delinquent\n{people}\n")
        asyncio.run(
            setup.prepare(
                TEMPLATE_ACCESS.dsn(server.port),
                ACCESS.password,
                population,
                tiers,
                OFFSET_NS,
                defects,
                calendar,
            )
        )
        witness_json = folder / "witness.json"
        member = Member("database-1", "primary", server.pid, server.start_ticks, server.port)
        Witness(1, "database-1", False, (member,), time.monotonic_ns()).write(witness_json)
        yield Books(witness_json, ACCESS.dsn(server.port))
    finally:
        server.kill()


@asynccontextmanager
async def store_of(books: Books, connections: int = 4) -> AsyncIterator[Store]:
    """A store on it, for the length of a block."""
    database = Database(
        books.witness_json, ACCESS, connections, Telemetry(books.witness_json.parent, "ledger-1")
    )
    following = asyncio.create_task(database.follow())
    try:
        await database.there(5.0)
        yield Store(database, OFFSET_NS)
    finally:
        following.cancel()
        database.close()


def body(key: str, borrower: int, amount_fen: int, **more: object) -> dict[str, Any]:
    """What a gateway asks a reserve with."""
    return {
        "draw_key": key, "borrower": borrower, "amount_fen": amount_fen, "purpose": "education",
        "body_hash": f"{borrower}/{amount_fen}", "nonce": "n", "avoid": [],
        "gateway": "gateway-1", "risk_policy": 1, "risk_ns": 1, "compliance_rules": 1,
        "compliance_ns": 1, **TERMS, **more,
    }  # fmt: skip
