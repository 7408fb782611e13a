"""Keeps one primary with a standby in sync: detects, fences, promotes, re-points, rebuilds.

The order is what makes it safe. Before a standby is promoted the witness says that there is no
primary, and every process of the old one is dead: it answers neither writes nor reads. Before
commits may go on with one copy the witness says that the standby is not in sync; one that is not
in sync is never promoted. It says in sync again only after the standby has all that was committed
in between.

One monitor on one host: it has no quorum, and can't tell a cut network from a dead server.
"""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from mock_lender.cluster import replication, template
from mock_lender.cluster.binaries import PostgresError
from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.judgement import Patience, primary_is, standby_is_lost
from mock_lender.cluster.postgres import Access, Server
from mock_lender.cluster.replication import LOST, Pulse
from mock_lender.cluster.standby import base_backup, in_sync, to_the_end
from mock_lender.cluster.witness import NAME, Witness
from mock_lender.ledger import setup
from mock_lender.telemetry import Telemetry

TICK_S = 0.02
PROMOTED_WITHIN_S = 5.0
IN_SYNC_WITHIN_S = 15.0
REBUILD_AGAIN_S = 1.0
NAMES = ("database-1", "database-2")
FAILED = (PostgresError, *LOST, TimeoutError)


class Monitor:
    """Owns both servers, in a process of its own."""

    COMMIT = "on"

    def __init__(
        self, config: LenderConfig, access: Access, telemetry: Telemetry, clock_offset_ns: int
    ) -> None:
        self._config = config
        self._clock_offset_ns = clock_offset_ns
        self._access = access
        self._telemetry = telemetry
        self._work = Path(config.work_dir)
        self._epoch = 1
        self._primary: Server | None = None
        self._standby: Server | None = None
        self._coming: Server | None = None  # the rebuilding's own, until it is in sync
        self._in_sync = False
        self._serving = False
        self._alone = False  # commits wait for nobody
        self._pulse = Pulse(0)
        self._feeling: asyncio.Task[None] | None = None
        self._rebuilding: asyncio.Task[None] | None = None
        self._patience = Patience()

    async def run(self) -> None:
        """Until SIGTERM. Raises PostgresError when there is no primary and none can be made."""
        keeping = asyncio.create_task(self._keep())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, keeping.cancel)
        try:
            await keeping
        except asyncio.CancelledError:
            return
        finally:
            await self._end()

    async def _keep(self) -> None:
        await self._begin()
        while True:
            await self._tick()
            await asyncio.sleep(TICK_S)

    # -- beginning and end --------------------------------------------------------------------

    async def _begin(self) -> None:
        data, cache = self._work / NAMES[0], Path(self._config.cache_dir)
        await to_the_end(lambda: template.copied(self._work, cache, data))
        self._primary = self._start(NAMES[0])
        await self._primary.listening()
        self._tell()
        await setup.prepare(
            template.TEMPLATE_ACCESS.dsn(self._primary.port),
            self._access.password,
            Path(self._config.population_csv),
            self._config.tiers,
            self._clock_offset_ns,
            self._config.defects,
            self._config.calendar,
        )
        self._watch()
        await self._make_standby(NAMES[1])

    def _start(self, name: str) -> Server:
        """It is the caller's at once, to be killed if it never listens."""
        log = Path(self._config.telemetry_dir) / "postgres.log"
        most = self._config.database_connections
        return Server.start(name, self._work / name, log, most, commit=self.COMMIT)

    async def _end(self) -> None:
        """The standby first: its primary would wait for it."""
        if self._feeling is not None:
            self._feeling.cancel()
        await self._stop_rebuilding()
        if self._standby is not None:
            self._standby.kill()
        if self._primary is not None:
            self._primary.stop()

    # -- looking ------------------------------------------------------------------------------

    async def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        held_up_ns = self._patience.held_up_ns(self._pulse, now_ns)
        for task in (self._feeling, self._rebuilding):
            if task is not None and task.done():
                task.result()  # it has no end of its own: this raises what went wrong
        state = primary_is(self._pulse, now_ns, held_up_ns)
        if state != "well":
            await self._primary_is_gone(state)
        elif self._standby is not None and (
            not self._in_sync  # given up before, and not let go of yet
            or self._standby.ended
            or standby_is_lost(self._pulse, now_ns, held_up_ns)
        ):
            await self._standby_is_gone(self._standby)

    def _watch(self) -> None:
        """Feel the pulse of the present primary."""
        if self._feeling is not None:
            self._feeling.cancel()
        now_ns = time.monotonic_ns()
        self._pulse = Pulse(answered_ns=now_ns, copied_ns=now_ns)
        if self._primary is not None:
            dsn = self._access.dsn(self._primary.port)
            self._feeling = asyncio.create_task(
                replication.feel(dsn, self._other(self._primary), self._pulse)
            )

    @staticmethod
    def _other(server: Server) -> str:
        return NAMES[1 - NAMES.index(server.name)]

    # -- acting -------------------------------------------------------------------------------

    async def _primary_is_gone(self, why: str) -> None:
        old, new = self._primary, self._standby
        if old is None:
            raise PostgresError("there is no primary")
        self._note("primary", f"{why} {old.name}")
        safe = self._in_sync
        self._epoch += 1
        self._in_sync = self._serving = False
        self._tell()
        await self._stop_rebuilding()
        self._fence(old, promoting=safe and new is not None)
        if safe and new is not None and await self._promoted(new):
            self._primary, self._standby = new, None
            self._alone = True
            if self._config.on_standby_lost == "degrade":
                self._note("standby", "degraded")
                self._serving = True
        else:
            await self._restart(old)
        self._watch()
        self._tell()
        self._rebuild()

    def _fence(self, old: Server, *, promoting: bool) -> None:
        """From here on the old primary answers nobody, whether another is promoted or not."""
        old.kill()
        self._note("primary", f"fenced {old.name}")

    async def _promoted(self, new: Server) -> bool:
        """False: it could not be. It has taken no write, for the witness never named it."""
        try:
            await replication.promote(
                self._access.dsn(new.port), PROMOTED_WITHIN_S, gone=lambda: new.ended
            )
        except (*LOST, TimeoutError) as exc:
            self._note("primary", f"not promoted {new.name}: {type(exc).__name__}")
            return False
        self._note("primary", f"promoted {new.name}")
        return True

    async def _restart(self, old: Server) -> None:
        """All that was acknowledged is on the old one's disk, and may be nowhere else.

        It serves when it has a standby in sync again: until then a second failure of its disk
        would take what it acknowledges with it.
        """
        for server in (old, self._standby):
            if server is not None:
                server.kill()
        self._standby = None
        (old.data / "postmaster.pid").unlink(missing_ok=True)  # its number may be another's now
        self._primary = self._start(old.name)
        await self._primary.listening()
        self._note("primary", f"restarted {old.name}")

    async def _standby_is_gone(self, lost: Server) -> None:
        primary = self._primary
        if primary is None:
            return
        if self._in_sync:
            self._note("standby", f"lost {lost.name}")
            self._in_sync = False
            self._tell()
            if self._config.on_standby_lost == "degrade":
                self._note("standby", "degraded")
        if self._config.on_standby_lost == "degrade" and not await self._let_go(primary):
            return  # the next tick tries again, unless it finds the primary gone as well
        self._standby = None
        lost.kill()
        self._tell()
        self._rebuild()

    async def _let_go(self, primary: Server) -> bool:
        """Have commits wait for nobody; the witness has said that no standby is in sync."""
        try:
            await replication.claim_sync(self._access.dsn(primary.port), None)
        except (*LOST, TimeoutError):
            return False
        self._alone = True
        return True

    # -- rebuilding ---------------------------------------------------------------------------

    def _rebuild(self) -> None:
        primary = self._primary
        if primary is None or self._rebuilding is not None:
            return
        self._rebuilding = asyncio.create_task(self._keep_rebuilding(self._other(primary)))

    async def _keep_rebuilding(self, name: str) -> None:
        """Until there is a standby in sync. One task at a time: it owns what it is making."""
        while True:
            try:
                await self._make_standby(name)
                break
            except FAILED as exc:
                self._note("standby", f"not rebuilt: {type(exc).__name__}")
            await asyncio.sleep(REBUILD_AGAIN_S)
        if self._rebuilding is asyncio.current_task():
            self._rebuilding = None

    async def _stop_rebuilding(self) -> None:
        task, self._rebuilding = self._rebuilding, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _make_standby(self, name: str) -> None:
        """A fresh base backup of the primary, streaming, and waited for by every commit."""
        primary = self._primary
        if primary is None:
            raise PostgresError("there is no primary to copy")
        stream_port = await self._stream_port(primary)
        await base_backup(primary.port, stream_port, self._access, self._work / name)
        self._coming = self._start(name)
        done = False
        try:
            self._tell()
            await self._coming.listening()
            await self._bring_in_sync(primary, self._coming)
            done = True
        finally:
            coming, self._coming = self._coming, None
            if done:
                self._standby = coming
            elif coming is not None:
                coming.kill()
        self._in_sync = self._serving = True
        self._tell()
        self._note("standby", f"in_sync {name}")

    async def _stream_port(self, primary: Server) -> int:
        """Where its standby gets what it commits."""
        return primary.port

    async def _bring_in_sync(self, primary: Server, coming: Server) -> None:
        """Raises FAILED; then commits go on without it, if they did before."""
        dsn = self._access.dsn(primary.port)
        was_alone, self._alone = self._alone, False
        try:
            await in_sync(dsn, coming, self._pulse, IN_SYNC_WITHIN_S, others_wait=self._serving)
        except FAILED:
            if was_alone:
                await self._let_go(primary)
            raise

    # -- telling ------------------------------------------------------------------------------

    def _tell(self) -> None:
        roles = {"primary": self._primary, "standby": self._standby, "rebuilding": self._coming}
        members = tuple(s.member(role) for role, s in roles.items() if s and not s.ended)
        name = self._primary.name if self._serving and self._primary is not None else None
        Witness(self._epoch, name, self._in_sync, members, time.monotonic_ns()).write(
            Path(self._config.telemetry_dir) / NAME
        )

    def _note(self, subject: str, state: str) -> None:
        self._telemetry.state("database", subject, f"{state} epoch {self._epoch}")


def main(monitor: type[Monitor], config: LenderConfig, access: Access, clock_offset_ns: int) -> int:
    """The monitor's process; 1 with a line on stderr when it could not go on."""
    telemetry = Telemetry(Path(config.telemetry_dir), "monitor")
    try:
        asyncio.run(monitor(config, access, telemetry, clock_offset_ns).run())
    except (*FAILED, subprocess.SubprocessError) as exc:
        print(f"the databases could not be run: {exc}", file=sys.stderr, flush=True)
        return 1
    return 0
