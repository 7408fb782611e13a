"""A test's lender as faults see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TargetError
from harness.faults.fault import DatabaseServer
from harness.target.probes import takes_writes
from tests.lender_process import TOKEN, Lender


@dataclass
class LenderSurroundings:
    """What faults may touch of a lender that a test has started; it has no proxy."""

    made: Lender

    def replica_pid(self, replica: str) -> tuple[int, int]:
        service = self.made.service(replica)
        return service.pid, service.start_ticks

    def replica_address(self, replica: str) -> tuple[str, int]:
        service = self.made.service(replica)
        return service.host, service.port

    def restart_replica(self, replica: str) -> None:
        assert self.made.control("POST", f"/restart/{replica}")[0] == 200

    def proxy_api(self) -> tuple[str, str]:
        raise TargetError("this lender has no proxy")

    def proxied_address(self, edge: str) -> tuple[str, int]:
        raise TargetError(f"{edge} leads through no proxy")

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

    def replicas(self, role: str) -> Sequence[str]:
        if role == "bank":
            return ["bank.own", "bank.partner-a"]
        return [f"{role}-{number}" for number in (1, 2)]

    def records(self, service: str) -> Path:
        return self.made.records / f"calls.{service}.csv"
