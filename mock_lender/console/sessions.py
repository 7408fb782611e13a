"""Sessions of our own in the lender's database: they hold its connections, or locks on its rows, as
a forgotten batch job or an open editor does. The server ends them by itself with their lease.

A lock is only held, nothing is changed under it; sessions are dropped, never closed in good order,
which could hang.
"""

import asyncio
import contextlib
import re
import time
from typing import Any

import asyncpg

from mock_lender.cluster.replication import CONNECT_S, LOST, MONITOR, patiently
from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.context import ServiceContext

# More than any server here allows: a server that never refuses is not held.
SESSIONS_MAX = 1000
# What a server needs to end a session that was told to.
ENDS_S = 0.01
END_WITHIN_S = 1.0
AGAIN_S = 0.05
LOCK_WITHIN_MS = 2000
LOOK_WITHIN_MS = 200
OURS = "console"
# A monitor whose session is ended twice in a row takes its server for dead.
SPARED = [OURS, MONITOR]
# Those that do nothing at the moment, for good: their owner has to connect again.
END_IDLE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state = 'idle' AND application_name <> ALL($1)
"""
ACCOUNT = re.compile(r"(tier):([a-z0-9-]{1,40})(?:/([0-9]{1,3}))?|(borrower):([0-9]{1,9})")


async def enter(ctx: ServiceContext, **settings: object) -> "asyncpg.Connection":
    """A session of ours. Raises RefusedError, LOST, TimeoutError."""
    named = {"application_name": OURS} | {key: str(value) for key, value in settings.items()}
    return await asyncpg.connect(primary_dsn(ctx), timeout=CONNECT_S, server_settings=named)


class Crowd:
    """Takes every connection that the server has left, and each that becomes free. `pooled`: those
    that the lender holds idle as well."""

    def __init__(self, ctx: ServiceContext, lease_s: float, *, pooled: bool) -> None:
        self._ctx = ctx
        self._lease_ms = int(lease_s * 1000)
        self._pooled = pooled
        self._held: list[Any] = []
        self._filling: asyncio.Task[None] | None = None

    async def take(self) -> dict[str, object]:
        try:
            await self._fill()
            if not self._held:
                raise RefusedError(409, "the server had no connection left")
            if self._pooled:
                await self._end_pooled(self._held[0])
            self._filling = asyncio.create_task(self._keep_filling())
        finally:
            if self._filling is None:
                await self.release()
        return {"sessions": len(self._held)}

    async def _end_pooled(self, session: Any) -> None:
        """Again and again: the lender comes back for a connection as quickly as we do."""
        give_up_s = time.monotonic() + END_WITHIN_S
        while await self._end_idle(session) and time.monotonic() < give_up_s:
            await asyncio.sleep(ENDS_S)
            await self._fill()

    async def _end_idle(self, session: Any) -> int:
        """How many were ended."""
        return int(await patiently(session.fetchval(END_IDLE, SPARED)))

    async def _fill(self) -> None:
        """Until the server refuses for lack of them."""
        while len(self._held) < SESSIONS_MAX:
            try:
                self._held.append(
                    await enter(self._ctx, idle_session_timeout=max(self._lease_ms, 1))
                )
            except asyncpg.TooManyConnectionsError:
                return
        raise RefusedError(409, f"the server allows more than {SESSIONS_MAX} connections")

    async def _keep_filling(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            self._held = [one for one in self._held if not one.is_closed()]
            with contextlib.suppress(*LOST, TimeoutError, RefusedError):
                # One that was busy until now is idle some time.
                if self._pooled and self._held:
                    await self._end_idle(self._held[0])
                await self._fill()

    async def release(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait({self._filling})
        for session in self._held:
            session.terminate()
        self._held.clear()


class RowLock:
    """Locks the rows of an account, `tier:own` (all its slices), `tier:own/3` or `borrower:17`, as
    the lender does, in its order."""

    def __init__(self, ctx: ServiceContext, account: str, lease_s: float) -> None:
        self._ctx = ctx
        self._select = rows_of(account)
        self._lease_ms = int(lease_s * 1000)
        self._session: Any = None

    async def take(self) -> dict[str, object]:
        session = await enter(
            self._ctx,
            lock_timeout=LOCK_WITHIN_MS,
            idle_in_transaction_session_timeout=max(self._lease_ms, 1),
        )
        try:
            await patiently(session.execute("BEGIN"))
            rows = await patiently(session.fetch(self._select))
            if not rows:
                raise RefusedError(404, "no such account")
            self._session = session
        except asyncpg.LockNotAvailableError as exc:
            raise RefusedError(503, f"not locked within {LOCK_WITHIN_MS} ms") from exc
        finally:
            if self._session is None:
                session.terminate()
        return {"rows": len(rows)}

    async def release(self) -> None:
        if self._session is not None:
            self._session.terminate()
            self._session = None


async def locked(ctx: ServiceContext, account: str) -> bool:
    """Can a session of its own not lock one row of the account for a fifth of a second? The lender
    itself holds a lock for as long as a commit takes."""
    # Its lock is gone with the answer, and nothing it writes needs to wait for anybody.
    session = await enter(ctx, lock_timeout=LOOK_WITHIN_MS, synchronous_commit="off")
    try:
        rows = await patiently(session.fetch(rows_of(account, most=1)))
    except asyncpg.LockNotAvailableError:
        return True
    finally:
        session.terminate()
    if not rows:
        raise RefusedError(404, "no such account")
    return False


def rows_of(account: str, most: int = 1000) -> str:
    """The statement that locks the rows of an account. Raises RefusedError."""
    found = ACCOUNT.fullmatch(account)
    if found is None:
        raise RefusedError(422, "account: tier:NAME, tier:NAME/SLICE or borrower:NUMBER")
    kind, tier, slice_, _, borrower = found.groups()
    # All parts have passed the pattern: a name of small letters, digits and -, or a number.
    if kind is None:
        return f"SELECT 1 FROM borrowers WHERE borrower = {borrower} FOR UPDATE"
    one = "" if slice_ is None else f" AND slice = {slice_}"
    return f"SELECT 1 FROM slices WHERE tier = '{tier}'{one} ORDER BY slice LIMIT {most} FOR UPDATE"
