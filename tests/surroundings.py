"""A test's lender as faults see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import TargetError
from harness.faults.fault import DatabaseServer
from harness.proxy.client import ProxyClient
from harness.target.probes import takes_writes
from mock_lender.cluster.config import CONSOLE
from tests.lender_process import TOKEN, Lender


@dataclass
class LenderSurroundings:
    """What faults may touch of a lender that a test has started, and of the proxy it may have."""

    made: Lender
    proxy: ProxyClient | None = None
    listen: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def replica_pid(self, replica: str) -> tuple[int, int]:
        service = self.made.service(replica)
        return service.pid, service.start_ticks

    def replica_address(self, replica: str) -> tuple[str, int]:
        service = self.made.service(replica)
        return service.host, service.port

    def restart_replica(self, replica: str) -> None:
        assert self.made.control("POST", f"/restart/{replica}")[0] == 200

    def proxy_api(self) -> tuple[str, str]:
        if self.proxy is None:
            raise TargetError("this lender has no proxy")
        return self.proxy.base_url, TOKEN

    def proxied_address(self, edge: str) -> tuple[str, int]:
        return self.listen[edge]

    def database(self, role: str) -> DatabaseServer:
        witness = self.made.databases()
        member = witness.member(role)
        if member is None:
            raise TargetError(f"no {role}")
        where = ("127.0.0.1", member.port)
        return DatabaseServer(member.name, member.pid, member.start_ticks, where, witness.epoch)

    def copied(self) -> bool:
        return self.made.databases().in_sync

    def takes_writes(self) -> bool:
        return any(takes_writes(self.replica_address(name)) for name in ("ledger-1", "ledger-2"))

    def service_api(self, service: str) -> tuple[str, str]:
        host, port = self.replica_address(service)
        return f"http://{host}:{port}", TOKEN

    def supervisor_api(self) -> tuple[str, str]:
        return f"http://{self.made.topology.control}", TOKEN

    def proxied_edges(self) -> tuple[str, ...]:
        return tuple(self.listen)

    def replicas(self, role: str) -> tuple[str, ...]:
        names = [one.name for one in self.made.topology.services]
        return tuple(
            name for name in names if name.rpartition("." if role == "bank" else "-")[0] == role
        )

    def records(self, service: str) -> Path:
        return self.made.records / f"calls.{service}.csv"

    def console_api(self) -> tuple[str, str]:
        return self.service_api(CONSOLE)
