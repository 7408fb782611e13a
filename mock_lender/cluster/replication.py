"""What the monitor asks of a server: is it there, how far is its standby, and be the primary now.

asyncpg's close and release can hang on a frozen server, and a cancelled query opens another
connection to it: connections here are terminated, and waits end without cancelling anything.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import asyncpg

# What its session is called, which others leave alone.
MONITOR = "monitor"
BEAT_S = 0.05
CONNECT_S = 1.0
ANSWER_S = 3.0
# InternalClientError: asyncpg has read only half of the farewell of a server that ends a session.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# It answers, and says that it can't take another connection now: it is not gone.
BUSY = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)
LOOK = """
SELECT pg_is_in_recovery() AS standby,
       CASE WHEN pg_is_in_recovery() THEN 0
            ELSE (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint END AS flushed,
       r.flush AS copied, r.sync AS sync
FROM (SELECT 1) one LEFT JOIN (
    SELECT (flush_lsn - '0/0'::pg_lsn)::bigint AS flush, sync_state AS sync
    FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming' LIMIT 1
) r ON true
"""


@dataclass(slots=True)
class Pulse:
    """What is known of one server, kept up by `feel`. Times are CLOCK_MONOTONIC, ns.

    answered_ns: when it last answered a query. refused: connections refused or cut one after the
    other since then. copied_ns: when its standby had last caught up with what was there the look
    before. sync_state: of its standby, None when none is streaming.
    """

    answered_ns: int
    refused: int = 0
    copied_ns: int = 0
    sync_state: str | None = None
    _wanted: int = field(default=0, repr=False)

    def busy(self) -> None:
        """It answered without letting anybody look: nothing is learnt of its standby."""
        now_ns = time.monotonic_ns()
        self.copied_ns += now_ns - self.answered_ns
        self.answered_ns = now_ns
        self.refused = 0

    def saw(self, flushed: int, copied: int | None, sync_state: str | None) -> None:
        """One answered look: WAL positions in bytes."""
        self.answered_ns = time.monotonic_ns()
        self.refused = 0
        self.sync_state = sync_state
        if copied is not None and copied >= self._wanted:
            self.copied_ns = self.answered_ns
            self._wanted = flushed


async def feel(dsn: str, standby: str, pulse: Pulse) -> None:
    """Look at a server every 50 ms and note it in `pulse`, until cancelled."""
    connection: asyncpg.Connection | None = None
    try:
        while True:
            try:
                if connection is None:
                    connection = await asyncpg.connect(
                        dsn, timeout=CONNECT_S, server_settings={"application_name": MONITOR}
                    )
                row = await patiently(connection.fetchrow(LOOK, standby))
                pulse.saw(row["flushed"], row["copied"], row["sync"])
            except TimeoutError:
                # Silence is not a refusal: how long it has lasted is told by answered_ns.
                _drop(connection)
                connection = None
            except BUSY:
                pulse.busy()
            except LOST:
                pulse.refused += 1
                _drop(connection)
                connection = None
            await asyncio.sleep(BEAT_S)
    finally:
        _drop(connection)


def _drop(connection: "asyncpg.Connection | None") -> None:
    if connection is not None:
        connection.terminate()


async def patiently(work: Coroutine[Any, Any, Any]) -> Any:
    """Wait a while for an answer. Raises TimeoutError, with the query left as it is."""
    task = asyncio.ensure_future(work)
    # Whoever waits no longer, drops the connection; nobody wants what comes of the query then.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
    if not done:
        raise TimeoutError
    return task.result()


async def run(dsn: str, *statements: str) -> list[Any]:
    """The first row of each statement, on a connection of its own. Raises LOST, TimeoutError."""
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        return [await patiently(connection.fetchrow(one)) for one in statements]
    finally:
        connection.terminate()


async def claim_sync(dsn: str, standby: str | None) -> None:
    """Have commits wait for this standby from now on, or for none. Raises LOST, TimeoutError."""
    names = f'"{standby}"' if standby else ""
    await run(
        dsn,
        f"ALTER SYSTEM SET synchronous_standby_names = '{names}'",
        "SELECT pg_reload_conf()",
    )


async def promote(dsn: str, within_s: float, gone: Callable[[], bool]) -> None:
    """Make a standby the primary; returns when it takes writes. May be called again.

    Raises LOST or TimeoutError when it has not become one in time, or is `gone`.
    """
    give_up_s = time.monotonic() + within_s
    asked = False
    while True:
        try:
            connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
            try:
                while (await patiently(connection.fetchrow("SELECT pg_is_in_recovery()")))[0]:
                    if not asked:
                        await patiently(connection.fetchrow("SELECT pg_promote(false)"))
                        asked = True
                    if time.monotonic() > give_up_s:
                        raise TimeoutError
                    await asyncio.sleep(0.01)
                return
            finally:
                connection.terminate()
        except (*LOST, TimeoutError):
            # A busy machine is late with an answer.
            if gone() or time.monotonic() > give_up_s:
                raise
        await asyncio.sleep(BEAT_S)
