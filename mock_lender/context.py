"""What every service is handed when it starts."""

from dataclasses import dataclass

from mock_lender.cluster.config import LenderConfig
from mock_lender.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One replica: its name (`risk-1`), its role (`risk`), the lender's configuration, where the
    other services listen (`name -> host:port`, ports are fixed before anything starts; edges that
    lead through a proxy are in config.edges), its telemetry, and what to add to the database's wall
    clock to have CLOCK_MONOTONIC (`clock_offset_ns`)."""

    name: str
    role: str
    config: LenderConfig
    addresses: dict[str, str]
    database_dsn: str
    telemetry: Telemetry
    clock_offset_ns: int = 0

    def on(self, protection: str) -> bool:
        """Is this protection switched on?"""
        return protection in self.config.protections
