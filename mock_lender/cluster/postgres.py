"""One PostgreSQL server as a child process: a data directory, TCP on loopback, all durable.

Started directly, not by pg_ctl, so that the pid is the postmaster's. A postmaster that is killed
leaves its backends running until they next look, and they call setsid, so neither a kill of it
alone nor of its group ends a server, and once it is dead they are nobody's children. What all of a
server's processes have in common is the folder they work in: that is what they are known by.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from mock_lender.cluster.binaries import USER, PostgresError, binaries, wrapped
from mock_lender.cluster.ports import free_port
from mock_lender.cluster.topology import start_ticks
from mock_lender.cluster.witness import Member

UP_WITHIN_S = 20.0
STOPPED_WITHIN_S = 2.0
# Dozens of backends of a busy machine; whoever can't end a server may not promote another.
GONE_WITHIN_S = 10.0
PROGRAMS = ("postgres", "pg_basebackup")
SHOWN = ("fsync", "synchronous_commit", "synchronous_standby_names", "full_page_writes",
         "wal_level", "restart_after_crash", "server_version", "shared_buffers",
         "max_connections", "autovacuum", "checkpoint_timeout")  # fmt: skip
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "shared_memory_type": "mmap",
    "io_method": "sync",
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "hot_standby": "on",
    "max_wal_senders": 4,
    "wal_keep_size": "64MB",
    # Its usual 5 s would stall a standby that lost its stream for a moment, and its promotion.
    "wal_retrieve_retry_interval": "50ms",
    "wal_sender_timeout": "2s",
    "wal_receiver_timeout": "2s",
    "wal_receiver_status_interval": "1s",
    # A server that restarts by itself would answer from what no standby has: the monitor decides.
    "restart_after_crash": "off",
    "log_checkpoints": "on",
}


@dataclass(frozen=True, slots=True)
class Access:
    """How this run's databases are entered. The password is handed on in memory only."""

    password: str
    database: str = "postgres"

    def dsn(self, port: int) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{port}/{self.database}"


class Server:
    """A started server called `name`; `wait_listening` before it is used."""

    def __init__(
        self, name: str, data: Path, port: int, log: Path, process: "subprocess.Popen[bytes]"
    ) -> None:
        self.name = name
        self.data = data
        self.port = port
        self._log = log
        self._process = process
        self.start_ticks = start_ticks(process.pid)

    @classmethod
    def start(
        cls, name: str, data: Path, log: Path, connections: int, *, commit: str = "on"
    ) -> "Server":
        """Start on `data`. `commit` is synchronous_commit. Raises PostgresError, OSError."""
        port = free_port()
        settings = {
            **SETTINGS,
            "port": port,
            "max_connections": connections,
            "synchronous_commit": commit,
            "cluster_name": name,
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*wrapped(), str(binaries() / "postgres"), "-D", str(data), *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        return cls(name, data, port, log, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Has the postmaster ended? Known to whoever started it."""
        return self._process.poll() is not None

    def member(self, role: str) -> Member:
        """As the witness knows it."""
        return Member(self.name, role, self.pid, self.start_ticks, self.port)

    def wait_listening(self) -> None:
        """Until the port accepts connections. Raises PostgresError when it never does."""
        give_up_s = time.monotonic() + UP_WITHIN_S
        while not self._listens(give_up_s):
            time.sleep(0.01)

    async def listening(self) -> None:
        """As `wait_listening`, for an event loop; can be cancelled."""
        give_up_s = time.monotonic() + UP_WITHIN_S
        while True:
            if self._listens(give_up_s):
                return
            await asyncio.sleep(0.01)

    def _listens(self, give_up_s: float) -> bool:
        if self.ended:
            last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise PostgresError(f"{self.name} ended at once: {' '.join(last)}")
        if time.monotonic() > give_up_s:
            raise PostgresError(f"{self.name} was not up within {UP_WITHIN_S:.0f} s")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Fast shutdown, then kill; bounded to a few seconds."""
        if not self.ended:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOPPED_WITHIN_S)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to every process of it, also to stopped ones; returns when all are gone.

        Raises PostgresError when something of it is still there: then nobody may be promoted.
        """
        give_up_s = time.monotonic() + GONE_WITHIN_S
        kill_server(self.pid, self.start_ticks)
        while kill_in(self.data) or not self.ended:
            if time.monotonic() > give_up_s:
                raise PostgresError(f"{self.name} could not be ended")
            time.sleep(0.005)


def kill_server(pid: int, ticks: int) -> None:
    """Kill a postmaster, known by its pid and start time, and its children."""
    if not _is(pid, ticks):
        return
    with contextlib.suppress(ProcessLookupError):
        # Stopped first, so that it can't fork what is then missed.
        os.kill(pid, signal.SIGSTOP)
    for one in (*children(pid), pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def kill_in(data: Path) -> list[int]:
    """SIGKILL to PostgreSQL's processes that work in a folder, whoever started them; who they are.

    Those that are dead and not yet waited for are not among them.
    """
    found = working_in(data)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def working_in(data: Path) -> list[int]:
    """PostgreSQL's living processes whose working directory this is."""
    # A folder that was removed under them keeps its name, with a remark.
    wanted = (str(data.resolve()), f"{data.resolve()} (deleted)")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            mine = os.readlink(entry / "cwd") in wanted
            if mine and (entry / "comm").read_text().strip() in PROGRAMS:
                found.append(int(entry.name))
        except OSError:  # it ended, or is another user's
            continue
    return found


def children(pid: int) -> list[int]:
    """Direct children; nothing for a process that is gone."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _is(pid: int, ticks: int) -> bool:
    try:
        return start_ticks(pid) == ticks
    except OSError:
        return False
