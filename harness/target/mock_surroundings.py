"""The mock lender as faults see it: what they may touch of it, and how it is reached."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.errors import TargetError
from harness.faults.fault import DatabaseServer
from harness.proxy.client import ProxyClient
from harness.target.control import ask_supervisor
from harness.target.probes import takes_writes
from mock_lender.cluster.config import CONSOLE
from mock_lender.cluster.topology import Topology
from mock_lender.cluster.witness import Witness


class MockSurroundings:
    """Where its parts are, by the topology that its supervisor writes, and by its witness."""

    def __init__(
        self, run: Path, token: str, replicas: Mapping[str, int], proxy: ProxyClient | None
    ) -> None:
        self._token = token
        self._replicas = replicas
        self._proxy = proxy
        self._proxied: dict[str, tuple[str, int]] = {}
        self._topology: Topology | None = None
        self._topology_json = run / "topology.json"
        self._records = run / "lender"

    @property
    def topology(self) -> Topology:
        """As last written; a restarted replica has a new pid. Raises TargetError before ready."""
        if self._topology is None:
            raise TargetError("the lender is not up")
        self._topology = Topology.read(self._topology_json)
        return self._topology

    def replica_pid(self, replica: str) -> tuple[int, int]:
        service = self._service(replica)
        return service.pid, service.start_ticks

    def replica_address(self, replica: str) -> tuple[str, int]:
        service = self._service(replica)
        return service.host, service.port

    def _service(self, replica: str) -> Any:
        try:
            return self.topology.service(replica)
        except KeyError:
            raise TargetError(f"the lender has no {replica}") from None

    def restart_replica(self, replica: str) -> None:
        self._control("POST", f"/restart/{quote(replica)}", timeout_s=10)

    def proxy_api(self) -> tuple[str, str]:
        if self._proxy is None:
            raise TargetError("this drill has no proxy")
        return self._proxy.base_url, self._proxy.token

    def proxied_address(self, edge: str) -> tuple[str, int]:
        try:
            return self._proxied[edge]
        except KeyError:
            raise TargetError(f"edge {edge} does not lead through a proxy") from None

    def proxied_edges(self) -> tuple[str, ...]:
        return tuple(self._proxied)

    def databases(self) -> Witness:
        """Which database is the primary, by the lender's witness. Raises TargetError."""
        try:
            return Witness.read(Path(self.topology.witness))
        except OSError as exc:
            raise TargetError(f"the lender's witness can't be read: {exc}") from exc

    def database(self, role: str) -> DatabaseServer:
        witness = self.databases()
        member = witness.member(role)
        if member is None:
            raise TargetError(f"the lender has no {role} database at present")
        where = ("127.0.0.1", member.port)
        return DatabaseServer(member.name, member.pid, member.start_ticks, where, witness.epoch)

    def copied(self) -> bool:
        return self.databases().in_sync

    def takes_writes(self) -> bool:
        ledgers = [s for s in self.topology.services if s.role == "ledger"]
        return any(takes_writes((service.host, service.port)) for service in ledgers)

    def service_api(self, service: str) -> tuple[str, str]:
        host, port = self.replica_address(service)
        return f"http://{host}:{port}", self._token

    def supervisor_api(self) -> tuple[str, str]:
        return f"http://{self.topology.control}", self._token

    def replicas(self, role: str) -> tuple[str, ...]:
        if role == "bank":
            names = (one.name for one in self.topology.services)
            return tuple(name for name in names if name.startswith("bank."))
        return tuple(f"{role}-{n + 1}" for n in range(self._replicas[role]))

    def console_api(self) -> tuple[str, str]:
        return self.service_api(CONSOLE)

    def records(self, service: str) -> Path:
        return self._records / f"calls.{service}.csv"

    def _control(self, method: str, path: str, timeout_s: float) -> dict[str, Any]:
        return ask_supervisor(self.topology.control, self._token, method, path, timeout_s)
