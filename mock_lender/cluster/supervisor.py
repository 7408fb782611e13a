"""Starts the lender, keeps it, and stops it: `python -m mock_lender.cluster.supervisor CONFIG`.

Everything is imported once and services are forked from here, which saves their start-up and most
of their memory. So this process stays single-threaded and runs no event loop: a fork copies one
thread only. Its control endpoint is served between the looks at its children.

Ports are bound here and listened on in the child alone: a killed replica refuses connections at
once, and nobody else can take its port before it is restarted.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mock_lender.cluster import monitor
from mock_lender.cluster.apps import Wiring, role_of
from mock_lender.cluster.binaries import PostgresError, binaries
from mock_lender.cluster.books import BookKeeping
from mock_lender.cluster.clocks import offset_ns
from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.control import Control, Refused
from mock_lender.cluster.operations import Operations, lifter
from mock_lender.cluster.orders import Orders
from mock_lender.cluster.ports import bound_again, listening_socket
from mock_lender.cluster.postgres import SHOWN, Access, kill_in
from mock_lender.cluster.replica import answers, serve
from mock_lender.cluster.replication import LOST
from mock_lender.cluster.topology import Service, Topology, start_ticks
from mock_lender.cluster.version import Version
from mock_lender.cluster.witness import NAME as WITNESS
from mock_lender.defects.failover import monitor_of
from mock_lender.ledger import setup
from mock_lender.ledger.migration import hold
from mock_lender.resilience.profile import Settings
from mock_lender.telemetry import Telemetry

READY_WITHIN_S = 15.0
STOP_WITHIN_S = 1.0
MONITOR = "monitor"
MIGRATION = "migration"
LOOK_S = 0.2
MONITOR_STOPS_WITHIN_S = 4.0


class Supervisor:
    """The lender's processes."""

    def __init__(self, config: LenderConfig) -> None:
        self._config = config
        self._started_ns = time.monotonic_ns()
        self._clock_offset_ns = offset_ns()
        self._witness_json = Path(config.telemetry_dir) / WITNESS
        self._access = Access(secrets.token_hex(16))
        self._sockets = {name: listening_socket() for name in config.names()}
        self._ports = {name: held.getsockname()[1] for name, held in self._sockets.items()}
        self._pids: dict[str, int] = {}
        self._services: dict[str, Service] = {}
        self._settings: dict[str, str] = {}
        self._ready_ns = 0
        self._stopping = False
        self._closing = False
        self._wiring = Wiring(
            config, self._ports, self._witness_json, self._access, self._clock_offset_ns
        )
        self._books = BookKeeping(config, self._access, self._witness_json, self._clock_offset_ns)
        telemetry = Telemetry(Path(config.telemetry_dir), "supervisor")
        settings = Settings.of(config.protections)
        self._operations = Operations(self, settings, telemetry, os.kill, lifter(config.token))
        self._orders = Orders(config, self._operations, self._migrate, self._stop_migration)
        self._control = Control(config.token, self._answer)

    def run(self) -> None:
        """Until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            binaries()  # said here, or all that is heard is that the monitor has ended
            self._fork(MONITOR, self._keep_databases)
            for name in self._config.names():
                self._serve(name, self._operations.version_of(name), self._sockets.pop(name))
            self._wait_ready(self._config.names())
            self._settings = asyncio.run(setup.shown(self._books.primary_dsn(), SHOWN))
            self._ready_ns = time.monotonic_ns()
            self._write_topology()
            while not self._stopping:
                self._control.serve_once(0.02 if self._operations.busy else 0.1)
                self._reap()
                self._operations.tick()
        finally:
            self._end()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _fork(self, name: str, work: Callable[[], int], held: socket.socket | None = None) -> None:
        """A child that does its work and never returns from here."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            if held is not None:
                held.close()
            self._pids[name] = pid
            return
        status = 1
        try:
            self._control.close()
            for other in self._sockets.values():
                other.close()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            status = work()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _keep_databases(self) -> int:
        keeper = monitor_of(self._config.defects)
        args = (keeper, self._config, self._access, self._clock_offset_ns)
        status: int = monitor.main(*args)
        return status

    def _serve(self, name: str, version: Version, held: socket.socket) -> None:
        def work() -> int:
            serve(self._wiring.maker(name, version), held)
            return 0

        self._fork(name, work, held)

    # -- what operations ask of who has the processes ----------------------------------------

    def running(self, name: str) -> int | None:
        return self._pids.get(name)

    def launch(self, name: str, version: Version) -> None:
        self._serve(name, version, bound_again(self._ports[name]))

    def serves(self, name: str) -> bool:
        if not answers(self._ports[name], "/healthz", LOOK_S):
            return False
        self._write_topology()
        return True

    def port(self, name: str) -> int:
        found: int = self._ports[name]
        return found

    def _migrate(self, table: str, hold_s: float) -> None:
        """By a process of its own: this one waits for nobody. Raises Refused."""
        if MIGRATION in self._pids:
            raise Refused(409, "there is a migration")
        dsn = self._books.primary_dsn()

        def work() -> int:
            asyncio.run(hold(dsn, table, hold_s))
            return 0

        self._fork(MIGRATION, work)

    def _stop_migration(self) -> bool:
        pid = self._pids.get(MIGRATION)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None

    def _wait_ready(self, names: list[str]) -> None:
        give_up_s = time.monotonic() + READY_WITHIN_S
        for name in names:
            while not answers(self._ports[name]):
                self._reap()
                if name not in self._pids:
                    raise PostgresError(f"{name} ended while it was starting")
                if time.monotonic() > give_up_s:
                    raise PostgresError(f"{name} did not answer within {READY_WITHIN_S:.0f} s")
                time.sleep(0.01)
        self._reap()
        gone = [name for name in names if name not in self._pids]
        if gone:  # somebody else answered at its port
            raise PostgresError(f"{gone[0]} ended while it was starting")

    def _reap(self) -> None:
        """Note the children that have ended; a killed replica stays away until restarted."""
        for name, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[name]
                if self._closing:
                    continue
                if name == MONITOR:
                    raise PostgresError("the monitor of the databases ended")
                print(f"{name} ended: status {status}", file=sys.stderr, flush=True)

    def _write_topology(self) -> None:
        """One that is down at present is listed as it was."""
        for name, pid in self._pids.items():
            if name in self._ports:
                with contextlib.suppress(OSError):
                    self._services[name] = Service(
                        name=name,
                        role=role_of(name),
                        pid=pid,
                        start_ticks=start_ticks(pid),
                        host="127.0.0.1",
                        port=self._ports[name],
                    )
        services = tuple(self._services[name] for name in self._config.names())
        Topology(
            services=services,
            witness=str(self._witness_json),
            control=self._control.address,
            started_ns=self._started_ns,
            ready_ns=self._ready_ns,
            database=self._settings,
        ).write(Path(self._config.topology_json))

    def _answer(self, method: str, path: str, query: dict[str, str]) -> dict[str, object]:
        """The control endpoint. Raises Refused for what it does not know or can't do now."""
        try:
            return self._do(method, path, query)
        except (*LOST, TimeoutError) as exc:
            raise Refused(503, f"{type(exc).__name__}: {exc}") from exc

    def _do(self, method: str, path: str, query: dict[str, str]) -> dict[str, object]:
        if method == "POST" and path.startswith("/restart/"):
            return self._restart(path.removeprefix("/restart/"))
        if (method, path) == ("POST", "/export"):
            return self._export(Path(query.get("dir", "")))
        for asked in (self._books, self._orders):
            found = asked.answer(method, path, query)
            if found is not None:
                return found
        raise Refused(404, "unknown")

    def _restart(self, name: str) -> dict[str, object]:
        if name not in self._ports:  # the monitor has no port and is never restarted
            raise Refused(404, f"no service {name}")
        self._reap()
        if name in self._pids:
            raise Refused(409, f"{name} is running")
        self.launch(name, self._operations.version_of(name))
        self._wait_ready([name])
        self._write_topology()
        return {"pid": self._pids[name]}

    def _export(self, directory: Path) -> dict[str, object]:
        """The books at rest: services are stopped first, or two books could not agree."""
        if not directory.is_dir():
            raise Refused(400, "dir: a folder")
        began_ns = time.monotonic_ns()
        self._stop_services()
        down_s = (time.monotonic_ns() - began_ns) / 1e9
        self._books.export(directory)
        moved_ns = offset_ns() - self._clock_offset_ns
        return {"services_down_s": down_s, "wall_clock_moved_ns": moved_ns}

    def _end(self) -> None:
        """Stop services, then the monitor, which stops its databases; bounded."""
        self._stop_services()
        pid = self._pids.pop(MONITOR, None)
        if pid is not None:
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
            give_up_s = time.monotonic() + MONITOR_STOPS_WITHIN_S
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > give_up_s:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
        # What a monitor that was killed has left: servers, and a backup on its way to be one.
        for name in monitor.NAMES:
            kill_in(Path(self._config.work_dir) / name)

    def _stop_services(self) -> None:
        self._closing = True
        self._operations.drop()
        services = {name: pid for name, pid in self._pids.items() if name != MONITOR}
        for pid in services.values():
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
        give_up_s = time.monotonic() + STOP_WITHIN_S
        while services.keys() & self._pids.keys() and time.monotonic() < give_up_s:
            self._reap()
            time.sleep(0.01)
        for name in services.keys() & self._pids.keys():
            pid = self._pids.pop(name)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main() -> int:
    """Exit 0 after SIGTERM, 1 with one line on stderr when the lender could not be started."""
    try:
        Supervisor(LenderConfig.read(Path(sys.argv[1]))).run()
    except (PostgresError, Refused, *LOST, TimeoutError, subprocess.SubprocessError) as exc:
        print(f"the lender could not be run: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
