"""Keeps one primary with a standby in sync: detects, fences, promotes, re-points, rebuilds.

The order is what makes it safe. Before a standby is promoted the witness says that there is no
primary, and every process of the old one is dead: it answers neither writes nor reads. Before
commits may go on with one copy the witness says that the standby is not in sync; one that is not
in sync is never promoted. It says in sync again only after the standby has all that was committed
in between.

One monitor on one host: it has no quorum, and can't tell a cut network from a dead server.
"""

import asyncio
import functools
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from mock_lender.cluster import replication
from mock_lender.cluster.binaries import (
    USER,
    PostgresError,
    binaries,
    copy_template,
    initialised,
    wrapped,
)
from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.judgement import primary_is, standby_is_lost
from mock_lender.cluster.postgres import Access, Server
from mock_lender.cluster.replication import LOST, Pulse
from mock_lender.cluster.witness import NAME, Member, Witness
from mock_lender.ledger import setup
from mock_lender.telemetry import Telemetry

TICK_S = 0.02
LATE_TICK_S = 0.1
PROMOTED_WITHIN_S = 5.0
IN_SYNC_WITHIN_S = 15.0
# Between the standby being called synchronous and every backend waiting for it: backends learn of
# it from a flag that the checkpointer sets when it has read the new configuration.
FLAG_S = 0.25
REBUILD_AGAIN_S = 1.0
NAMES = ("database-1", "database-2")


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
        self._log = Path(config.telemetry_dir) / "postgres.log"
        self._witness_json = Path(config.telemetry_dir) / NAME
        # Both ledgers' pools and lanes, the export, and what an administrator needs.
        self._connections = (
            config.replicas["ledger"] * (config.capacity.ledger_connections + 2) + 24
        )
        self._epoch = 1
        self._primary: Server | None = None
        self._standby: Server | None = None
        self._in_sync = False
        self._serving = False
        self._pulse = Pulse(0)
        self._feeling: asyncio.Task[None] | None = None
        self._rebuilding: asyncio.Task[None] | None = None
        self._ticked_ns = 0
        self._held_up_ns = 0
        self._answered_ns = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM. Raises PostgresError when there is no primary and none can be made."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        try:
            await self._begin()
            while not self._stopping.is_set():
                await self._tick()
                await asyncio.sleep(TICK_S)
        finally:
            self._end()

    # -- beginning and end --------------------------------------------------------------------

    async def _begin(self) -> None:
        data = self._work / NAMES[0]
        schema = setup.schema_digest()
        version = _output([str(binaries() / "postgres"), "--version"]).split()[-1]
        make = functools.partial(make_template, self._work)
        cache = Path(self._config.cache_dir)
        await asyncio.to_thread(copy_template, cache, f"{version}-{schema}", make, data)
        self._primary = await asyncio.to_thread(self._start, NAMES[0])
        self._tell()
        await setup.prepare(
            TEMPLATE_ACCESS.dsn(self._primary.port),
            self._access.password,
            Path(self._config.population_csv),
            self._config.tiers,
            self._clock_offset_ns,
            self._config.defects,
        )
        self._watch()
        await self._make_standby(NAMES[1])
        self._serving = True
        self._tell()

    def _start(self, name: str) -> Server:
        data = self._work / name
        server = Server.start(name, data, self._log, self._connections, commit=self.COMMIT)
        server.wait_listening()
        return server

    def _end(self) -> None:
        """The standby first: its primary would wait for it."""
        for task in (self._feeling, self._rebuilding):
            if task is not None:
                task.cancel()
        if self._standby is not None:
            self._standby.kill()
        if self._primary is not None:
            self._primary.stop()

    # -- looking ------------------------------------------------------------------------------

    async def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        if self._pulse.answered_ns != self._answered_ns:
            self._answered_ns, self._held_up_ns = self._pulse.answered_ns, 0
        elif now_ns - self._ticked_ns > LATE_TICK_S * 1e9:
            self._held_up_ns += now_ns - self._ticked_ns
        self._ticked_ns = now_ns
        if self._rebuilding is not None and self._rebuilding.done():
            self._rebuilt(self._rebuilding)
        state = primary_is(self._pulse, now_ns, self._held_up_ns)
        if state != "well":
            await self._primary_is_gone(state)
        elif (
            self._standby is not None
            and self._rebuilding is None
            and (self._standby.ended or standby_is_lost(self._pulse, now_ns, self._held_up_ns))
        ):
            await self._standby_is_gone()

    def _watch(self) -> None:
        """Feel the pulse of the present primary."""
        if self._feeling is not None:
            self._feeling.cancel()
        now_ns = time.monotonic_ns()
        self._pulse = Pulse(answered_ns=now_ns, copied_ns=now_ns)
        if self._primary is not None:
            dsn = self._access.dsn(self._primary.port)
            other = NAMES[1 - NAMES.index(self._primary.name)]
            self._feeling = asyncio.create_task(replication.feel(dsn, other, self._pulse))

    # -- acting -------------------------------------------------------------------------------

    async def _primary_is_gone(self, why: str) -> None:
        old, new = self._primary, self._standby
        if old is None:
            raise PostgresError("there is no primary")
        self._note("primary", f"{why} {old.name}")
        safe = self._in_sync and new is not None and not new.ended
        self._epoch += 1
        self._in_sync = self._serving = False
        self._tell()
        if self._rebuilding is not None:
            self._rebuilding.cancel()
        self._fence(old, promoting=safe)
        if safe and new is not None:
            await replication.promote(self._access.dsn(new.port), PROMOTED_WITHIN_S)
            self._primary, self._standby = new, None
            self._note("primary", f"promoted {new.name}")
        else:
            await self._restart(old)
        self._watch()
        self._serving = True
        self._tell()
        self._rebuild()

    def _fence(self, old: Server, *, promoting: bool) -> None:
        """From here on the old primary answers nobody, whether another is promoted or not."""
        old.kill()
        self._note("primary", f"fenced {old.name}")

    async def _restart(self, old: Server) -> None:
        """The only copy of what was acknowledged is the old one's disk: nobody else may serve."""
        if self._standby is not None:
            self._standby.kill()
            self._standby = None
        self._primary = await asyncio.to_thread(self._start, old.name)
        # It was told to wait for a standby that is gone now: it serves when there is one again.
        self._note("primary", f"restarted {old.name}")
        self._watch()
        await self._make_standby(NAMES[1 - NAMES.index(old.name)])

    async def _standby_is_gone(self) -> None:
        lost, primary = self._standby, self._primary
        if lost is None or primary is None:
            return
        self._standby = None
        self._note("standby", f"lost {lost.name}")
        if self._config.on_standby_lost == "degrade":
            self._in_sync = False
            self._tell()
            await replication.claim_sync(self._access.dsn(primary.port), None)
            self._note("standby", "degraded")
        lost.kill()
        self._rebuild()

    def _rebuild(self) -> None:
        if self._primary is not None and self._standby is None:
            other = NAMES[1 - NAMES.index(self._primary.name)]
            self._rebuilding = asyncio.create_task(self._make_standby(other))

    def _rebuilt(self, task: "asyncio.Task[None]") -> None:
        self._rebuilding = None
        if task.cancelled() or task.exception() is None:
            return
        self._note("standby", f"not rebuilt: {type(task.exception()).__name__}")
        if self._standby is not None:
            self._standby.kill()
            self._standby = None
        asyncio.get_running_loop().call_later(REBUILD_AGAIN_S, self._rebuild)

    async def _make_standby(self, name: str) -> None:
        """A fresh base backup of the primary, streaming, and waited for by every commit."""
        primary = self._primary
        if primary is None:
            raise PostgresError("there is no primary to copy")
        dsn = self._access.dsn(primary.port)
        await self._base_backup(primary, self._work / name)
        standby = await asyncio.to_thread(self._start, name)
        self._standby = standby
        self._tell()
        # Commits may not be made to wait for it before it streams.
        await self._until_streaming(standby, ("async", "sync"))
        await replication.claim_sync(dsn, name)
        try:
            await self._until_streaming(standby, ("sync",))
        except PostgresError:
            if self._config.on_standby_lost == "degrade":
                await replication.claim_sync(dsn, None)
            raise
        if self._serving:
            await asyncio.sleep(FLAG_S)
        # What was committed while nobody waited is on the standby when this commit has come back.
        await replication.run(dsn, "SELECT pg_logical_emit_message(true, 'in-sync', '')")
        if self._primary is primary and self._standby is standby:
            self._in_sync = True
            self._tell()
            self._note("standby", f"in_sync {name}")

    async def _until_streaming(self, standby: Server, states: tuple[str, ...]) -> None:
        """Until the primary says that it streams in one of these ways. Raises PostgresError."""
        give_up_s = time.monotonic() + IN_SYNC_WITHIN_S
        while self._pulse.sync_state not in states:
            if time.monotonic() > give_up_s or standby.ended:
                raise PostgresError(f"{standby.name} did not get {states[-1]}")
            await asyncio.sleep(0.01)

    async def _base_backup(self, primary: Server, data: Path) -> None:
        await asyncio.to_thread(shutil.rmtree, data, ignore_errors=True)
        backup = await asyncio.create_subprocess_exec(
            *wrapped(), str(binaries() / "pg_basebackup"), "-D", str(data), "-h", "127.0.0.1",
            "-p", str(primary.port), "-U", USER, "--checkpoint=fast", "--wal-method=stream",
            env={"PGPASSWORD": self._access.password}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = await backup.communicate()
        except asyncio.CancelledError:
            backup.kill()
            await backup.wait()
            raise
        if backup.returncode != 0:
            raise PostgresError(f"pg_basebackup: {said.decode(errors='replace').strip()[-300:]}")
        port = await self._stream_port(primary)
        conninfo = (
            f"host=127.0.0.1 port={port} user={USER} password={self._access.password} "
            f"application_name={data.name} connect_timeout=2"
        )
        # Its own: no name of a standby, or every commit would hang once it is the primary.
        (data / "postgresql.auto.conf").write_text(f"primary_conninfo = '{conninfo}'\n")
        (data / "standby.signal").touch()

    async def _stream_port(self, primary: Server) -> int:
        """Where its standby gets what it commits."""
        return primary.port

    # -- telling ------------------------------------------------------------------------------

    def _tell(self) -> None:
        members = []
        for role, server in (("primary", self._primary), ("standby", self._standby)):
            if server is not None and not server.ended:
                members.append(
                    Member(server.name, role, server.pid, server.start_ticks, server.port)
                )
        name = self._primary.name if self._serving and self._primary is not None else None
        Witness(self._epoch, name, self._in_sync, tuple(members), time.monotonic_ns()).write(
            self._witness_json
        )

    def _note(self, subject: str, state: str) -> None:
        self._telemetry.state("database", subject, f"{state} epoch {self._epoch}")


TEMPLATE_ACCESS = Access("template")


def make_template(work: Path, data: Path) -> None:
    """An empty cluster with the schema in it, stopped. Raises PostgresError, OSError."""
    data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    initialised(data, TEMPLATE_ACCESS.password, binaries(), wrapped())
    server = Server.start("template", data, work / "template.log", 10)
    try:
        server.wait_listening()
        asyncio.run(setup.create_schema(TEMPLATE_ACCESS.dsn(server.port)))
    finally:
        server.stop()


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(monitor: type[Monitor], config: LenderConfig, access: Access, clock_offset_ns: int) -> int:
    """The monitor's process; 1 with a line on stderr when it could not go on."""
    telemetry = Telemetry(Path(config.telemetry_dir), "monitor")
    try:
        asyncio.run(monitor(config, access, telemetry, clock_offset_ns).run())
    except (PostgresError, *LOST, TimeoutError, subprocess.SubprocessError) as exc:
        print(f"the databases could not be run: {exc}", file=sys.stderr, flush=True)
        return 1
    return 0
