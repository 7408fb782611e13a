"""A change of the schema that takes a table's strongest lock and keeps it for a while.

`ALTER TABLE ... ADD COLUMN` and a sleep in one transaction, rolled back at the end: for that long
nobody can read or write the table, and the schema is what it was. The server itself ends it should
whoever asked for it be frozen or gone.
"""

import asyncpg

TABLES = ("borrowers", "draws", "tries", "slices")
CONNECT_S = 5.0


async def hold(dsn: str, table: str, hold_s: float) -> None:
    """Hold the lock for `hold_s`. Raises ValueError for any other table, and asyncpg's own."""
    if table not in TABLES:
        raise ValueError(f"table: one of {', '.join(TABLES)}")
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        await connection.execute("BEGIN")
        # The whole of it: also what it waits for the lock.
        await connection.execute(f"SET LOCAL statement_timeout = {round(hold_s * 1000)}")
        # Or it would sleep on when whoever asked for it is gone.
        await connection.execute("SET LOCAL client_connection_check_interval = 100")
        await connection.execute(f"ALTER TABLE {table} ADD COLUMN migrated boolean")
        await connection.execute(f"SELECT pg_sleep({hold_s:.3f})")
    except asyncpg.QueryCanceledError:
        pass  # its time is over
    finally:
        connection.terminate()
