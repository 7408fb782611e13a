"""Which application a replica or bank is, and what it is handed when it starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mock_lender import bank, compliance, gateway, risk
from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.postgres import Access
from mock_lender.cluster.version import Version
from mock_lender.console import app as console
from mock_lender.context import ServiceContext
from mock_lender.ledger import service as ledger
from mock_lender.telemetry import Telemetry

APPS = {
    "gateway": gateway.create_app,
    "risk": risk.create_app,
    "compliance": compliance.create_app,
    "ledger": ledger.create_app,
    "console": console.create_app,
}


def role_of(name: str) -> str:
    """`risk` of `risk-1`; a bank is one of its own."""
    return name if name.startswith("bank.") else name.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What all of them have in common; see ServiceContext."""

    config: LenderConfig
    ports: Mapping[str, int]
    witness_json: Path
    access: Access
    clock_offset_ns: int

    def maker(self, name: str, version: Version) -> Callable[[], object]:
        """Makes the application, in the process that is to serve it."""

        def make() -> object:
            role = role_of(name)
            context = ServiceContext(
                name=name,
                role=role,
                config=version.configured(self.config),
                addresses={other: f"127.0.0.1:{port}" for other, port in self.ports.items()},
                witness_json=self.witness_json,
                access=self.access,
                telemetry=Telemetry(Path(self.config.telemetry_dir), name),
                clock_offset_ns=self.clock_offset_ns,
                version=version.name,
                contract=version.contract,
                planted=version.faults,
            )
            return APPS.get(role, bank.create_app)(context)

        return make
