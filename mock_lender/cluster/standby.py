"""How a server is made the standby of another: a base backup, and catching up with it.

It is cancelled when the primary is gone; then nothing of it may go on writing into a folder that
the next one is made in.
"""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from mock_lender.cluster.binaries import USER, PostgresError, binaries, wrapped
from mock_lender.cluster.postgres import Access, Server, kill_in
from mock_lender.cluster.replication import Pulse, claim_sync, run

# Between the standby being called synchronous and every backend waiting for it: backends learn of
# it from a flag that the checkpointer sets when it has read the new configuration.
FLAG_S = 0.25
STREAMING = ("async", "potential", "quorum", "sync")


async def base_backup(port: int, stream_port: int, access: Access, data: Path) -> None:
    """Copy the server at `port` into `data`, as its standby called like the folder, which will get
    what is committed from `stream_port`.

    Raises PostgresError.
    """
    await to_the_end(lambda: _empty(data))
    # It works in the folder, which tells its processes (it forks) from everybody else's.
    backup = await asyncio.create_subprocess_exec(
        *wrapped(), str(binaries() / "pg_basebackup"), "-D", str(data), "-h", "127.0.0.1",
        "-p", str(port), "-U", USER, "--checkpoint=fast", "--wal-method=stream",
        env={"PGPASSWORD": access.password}, cwd=data, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await backup.communicate()
    except asyncio.CancelledError:
        kill_in(data)
        await backup.wait()
        raise
    if backup.returncode != 0:
        raise PostgresError(f"pg_basebackup: {said.decode(errors='replace').strip()[-300:]}")
    _make_standby_of(data, stream_port, access)


def _empty(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)


def _make_standby_of(data: Path, port: int, access: Access) -> None:
    conninfo = (
        f"host=127.0.0.1 port={port} user={USER} password={access.password} "
        f"application_name={data.name} connect_timeout=2"
    )
    # Its own: no name of a standby, or every commit would hang once it is the primary.
    (data / "postgresql.auto.conf").write_text(f"primary_conninfo = '{conninfo}'\n")
    (data / "standby.signal").touch()


async def to_the_end(work: Callable[[], None]) -> None:
    """In a thread; when cancelled, only after the thread has ended, for it can't be stopped."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise


async def in_sync(
    dsn: str, coming: Server, pulse: Pulse, within_s: float, *, others_wait: bool
) -> None:
    """Have every commit of the primary wait for a started standby; until it has all there is.

    `pulse`: the primary's. `others_wait`: there may be commits on their way that wait for nobody.
    Raises PostgresError, LOST, TimeoutError.
    """
    give_up_s = time.monotonic() + within_s
    # Not before it streams: commits would hang for as long as it takes to start.
    await _until(STREAMING, coming, pulse, give_up_s)
    await claim_sync(dsn, coming.name)
    await _until(("sync",), coming, pulse, give_up_s)
    if others_wait:
        await asyncio.sleep(FLAG_S)
    # What was committed while nobody waited is on the standby when this commit has come back.
    await run(dsn, "SELECT pg_logical_emit_message(true, 'in-sync', '')")


async def _until(states: tuple[str, ...], coming: Server, pulse: Pulse, give_up_s: float) -> None:
    while pulse.sync_state not in states:
        if coming.ended or time.monotonic() > give_up_s:
            raise PostgresError(f"{coming.name} did not get in sync")
        await asyncio.sleep(0.01)
