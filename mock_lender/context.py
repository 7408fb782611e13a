"""What every service is handed when it starts."""

from dataclasses import dataclass
from pathlib import Path

from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.postgres import Access
from mock_lender.rulebook import NAME as RULEBOOK
from mock_lender.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One replica: its name (`risk-1`), its role (`risk`), the lender's configuration, where the
    other services listen (`name -> host:port`, ports are fixed before anything starts; edges that
    lead through a proxy are in config.edges), where it is told which database is the primary and
    how that is entered, its telemetry, and what to add to the database's wall clock to have
    CLOCK_MONOTONIC (`clock_offset_ns`)."""

    name: str
    role: str
    config: LenderConfig
    addresses: dict[str, str]
    witness_json: Path
    access: Access
    telemetry: Telemetry
    clock_offset_ns: int = 0

    def on(self, protection: str) -> bool:
        """Is this protection switched on?"""
        return protection in self.config.protections

    @property
    def rulebook_json(self) -> Path:
        """Where the dated policies and rules are."""
        return Path(self.config.telemetry_dir) / RULEBOOK
