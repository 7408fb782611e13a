"""What makes commits slow: a standby that gets what is committed late, or a log flushed late.

A commit waits until its record is flushed on the primary and on the standby; not for its replay
there, so holding up the replay alone would slow nothing down.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from mock_lender.cluster.postgres import children
from mock_lender.cluster.replication import patiently, run
from mock_lender.cluster.topology import start_ticks
from mock_lender.cluster.witness import Witness
from mock_lender.console.hold import RefusedError, primary_dsn
from mock_lender.console.sessions import enter
from mock_lender.context import ServiceContext

GO_ON_S = 0.03
DELAY_S_MAX = 0.1  # PostgreSQL's own limit of commit_delay
PAUSES = 30
COMMIT = "SELECT pg_logical_emit_message(true, 'probe', '')"


class Lag:
    """Stops the standby's receiver for `lag_s`, lets it go on for a moment, and so on. The lender
    may have another standby by the next time: it is looked for anew."""

    def __init__(self, ctx: ServiceContext, lag_s: float) -> None:
        self._ctx = ctx
        self._lag_s = lag_s
        self._pulsing: asyncio.Task[None] | None = None
        self._stopped: tuple[int, int] | None = None

    async def take(self) -> dict[str, object]:
        if receiver(self._ctx) is None:
            raise RefusedError(409, "no standby is receiving")
        self._pulsing = asyncio.create_task(self._pulse())
        return {}

    async def _pulse(self) -> None:
        try:
            while True:
                self._stopped = receiver(self._ctx)
                self._send(signal.SIGSTOP)
                await asyncio.sleep(self._lag_s)
                self._send(signal.SIGCONT)
                await asyncio.sleep(GO_ON_S)
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        """To that very process, if it still is."""
        if self._stopped is None:
            return
        pid, ticks = self._stopped
        with contextlib.suppress(OSError):
            if start_ticks(pid) == ticks:
                os.kill(pid, number)

    async def release(self) -> None:
        if self._pulsing is not None:
            self._pulsing.cancel()
            await asyncio.wait({self._pulsing})


def receiver(ctx: ServiceContext) -> tuple[int, int] | None:
    """(pid, start time) of the process that gets what the primary commits, or None."""
    standby = Witness.read(ctx.witness_json).member("standby")
    for pid in children(standby.pid) if standby is not None else ():
        with contextlib.suppress(OSError):
            if b"walreceiver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid, start_ticks(pid)
    return None


class SlowFlush:
    """Has the primary wait for `delay_s` before each flush of its log, holding the lock that all
    flushes need: commits come out together, one flush after the other."""

    def __init__(self, ctx: ServiceContext, delay_s: float) -> None:
        if not 0 < delay_s <= DELAY_S_MAX:
            raise RefusedError(422, f"delay_s: above 0, up to {DELAY_S_MAX}")
        self._ctx = ctx
        self._delay_us = round(delay_s * 1e6)

    async def take(self) -> dict[str, object]:
        await run(
            primary_dsn(self._ctx),
            f"ALTER SYSTEM SET commit_delay = {self._delay_us}",
            "ALTER SYSTEM SET commit_siblings = 0",
            "SELECT pg_reload_conf()",
        )
        return {}

    async def release(self) -> None:
        """On whichever server is the primary: one that was replaced is gone with its settings."""
        await run(
            primary_dsn(self._ctx),
            "ALTER SYSTEM RESET commit_delay",
            "ALTER SYSTEM RESET commit_siblings",
            "SELECT pg_reload_conf()",
        )


async def commits_s(ctx: ServiceContext, for_s: float) -> list[float]:
    """How long commits of our own take, seconds each: one after the other for about `for_s`, which
    is at least one. Between them is a little time, so that they are no load themselves."""
    session = await enter(ctx)
    try:
        took: list[float] = []
        ends_s = time.monotonic() + for_s
        while not took or time.monotonic() < ends_s:
            began_s = time.monotonic()
            await patiently(session.fetchrow(COMMIT))
            took.append(time.monotonic() - began_s)
            await asyncio.sleep(for_s / PAUSES)
        return took
    finally:
        session.terminate()
