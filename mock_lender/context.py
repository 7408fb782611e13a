"""What every service is handed when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.postgres import Access
from mock_lender.resilience.profile import Settings
from mock_lender.rulebook import NAME as RULEBOOK
from mock_lender.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One replica: its name (`risk-1`), its role (`risk`), the lender's configuration, where the
    other services listen (`name -> host:port`, ports are fixed before anything starts; edges that
    lead through a proxy are in config.edges), where it is told which database is the primary and
    how that is entered, its telemetry, and what to add to the database's wall clock to have
    CLOCK_MONOTONIC (`clock_offset_ns`). version: of the software it runs; contract: of the
    language in which it speaks to others. planted: faults it has from the start, each as it would
    be put to it, with its name."""

    name: str
    role: str
    config: LenderConfig
    addresses: dict[str, str]
    witness_json: Path
    access: Access
    telemetry: Telemetry
    clock_offset_ns: int = 0
    version: str = "1"
    contract: int = 1
    planted: tuple[Mapping[str, Any], ...] = ()

    @property
    def settings(self) -> Settings:
        """What follows from the protections; with the timeouts that its configuration has."""
        settings, timeout_s = Settings.of(self.config.protections), self.config.timeout_s
        if timeout_s is None:
            return settings
        return replace(settings, call_timeout_s=timeout_s, payout_timeout_s=timeout_s)

    def on(self, protection: str) -> bool:
        """Is this protection switched on?"""
        return protection in self.config.protections

    @property
    def features_csv(self) -> Path | None:
        """What a scorecard knows of the borrowers; None: nothing."""
        found = self.config.features_csv
        return Path(found) if found else None

    @property
    def rulebook_json(self) -> Path:
        """Where the dated policies and rules are."""
        return Path(self.config.telemetry_dir) / RULEBOOK
