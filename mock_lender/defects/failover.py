"""Spoilt care of the two databases: the monitor that keeps them, and the ledgers that follow it."""

import asyncio
import contextlib
from collections.abc import Collection

from mock_lender.cluster import replication
from mock_lender.cluster.monitor import Monitor
from mock_lender.cluster.postgres import Server
from mock_lender.cluster.replication import LOST
from mock_lender.ledger.database import Database

# Less than a copy may be behind before the monitor gives it up.
BEHIND_S = 0.6
HURRY_S = 0.05
ALONE_AGAIN_S = 0.1


def monitor_of(defects: Collection[str]) -> type[Monitor]:
    """The monitor that this lender has."""
    chosen = tuple(monitor for name, monitor in MONITORS.items() if name in defects)
    return type("SpoiltMonitor", chosen, {}) if chosen else Monitor


def database_of(defects: Collection[str], replica: str) -> type[Database]:
    """How this replica of the ledger keeps to its database."""
    if "fencing-off" in defects and replica == "ledger-2":
        return DeafDatabase
    return ImpatientDatabase if "replay-acknowledges-unflushed" in defects else Database


class BehindMonitor(Monitor):
    """Has its standby 600 ms behind, as one in another city may be.

    By itself that is only slow: commits that wait for the standby wait for that long. It gives
    those that don't wait something to lose: on one host the copy is otherwise never more than a
    millisecond behind.
    """

    _lines: tuple[asyncio.Server, ...] = ()

    async def _stream_port(self, primary: Server) -> int:
        async def carry(standby: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                source, sink = await asyncio.open_connection("127.0.0.1", primary.port)
                answers = asyncio.create_task(_copy(standby, sink))
                await self._carry(source, back)
                answers.cancel()

        line = await asyncio.start_server(carry, "127.0.0.1", 0)
        self._lines += (line,)
        return int(line.sockets[0].getsockname()[1])

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """What the primary sends, later; what is still on its way when it ends never arrives."""
        loop = asyncio.get_running_loop()
        behind_s = 0.0
        try:
            while chunk := await source.read(2**16):
                # Not while the standby connects and catches up, and then for good: a line that
                # became shorter would bring things out of order.
                behind_s = BEHIND_S if self._in_sync else behind_s
                loop.call_later(behind_s, _write, sink, chunk)
        finally:
            sink.transport.abort()

    async def _end(self) -> None:
        await super()._end()
        for line in self._lines:
            line.close()


class ForgetfulMonitor(BehindMonitor):
    """Commits are acknowledged from the primary alone, and the witness says that every one of them
    is on the standby's disk. Rule survives-failover."""

    COMMIT = "local"


class FencelessMonitor(Monitor):
    """Promotes the standby and leaves the old primary as it is; when that is heard of again, it is
    told to go on without a copy, as if it had only lost its standby. Rule acknowledged-once."""

    _loose: Server | None = None
    _freeing: asyncio.Task[None] | None = None

    def _fence(self, old: Server, *, promoting: bool) -> None:
        if not promoting:
            super()._fence(old, promoting=False)
            return
        self._loose = old
        self._freeing = asyncio.create_task(self._let_go_on(old))

    async def _let_go_on(self, old: Server) -> None:
        while not old.ended:
            with contextlib.suppress(*LOST, TimeoutError):
                await replication.claim_sync(self._access.dsn(old.port), None)
                return
            await asyncio.sleep(ALONE_AGAIN_S)

    def _rebuild(self) -> None:
        # The place of the new copy is taken while the old primary lives.
        if self._loose is None or self._loose.ended:
            super()._rebuild()

    async def _end(self) -> None:
        if self._freeing is not None:
            self._freeing.cancel()
        await super()._end()
        if self._loose is not None:
            self._loose.kill()


class DeafDatabase(Database):
    """Looks at the witness until there is a primary, and never again."""

    async def _look(self) -> None:
        if self._pool is None:
            await super()._look()


class ImpatientDatabase(Database):
    """Cancels what takes longer than 50 ms.

    A commit that is cancelled while it waits for the standby has happened, for whoever reads this
    server; and the standby does not have it.
    """

    COMMAND_TIMEOUT_S = HURRY_S


MONITORS: dict[str, type[Monitor]] = {
    "failover-that-forgets": ForgetfulMonitor,
    "replay-acknowledges-unflushed": BehindMonitor,
    "fencing-off": FencelessMonitor,
}


def _write(sink: asyncio.StreamWriter, chunk: bytes) -> None:
    if not sink.is_closing():
        sink.write(chunk)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(2**16):
            sink.write(chunk)
    sink.close()
