"""What a replica runs: the lender's software, or a version of it with a mistake in it.

A version may have planted defects, faults from its start on, and a configuration of its own. The
replicas of one lender may run different ones side by side.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mock_lender.cluster.config import LenderConfig

NAME = re.compile(r"[a-z0-9.-]{1,40}")
KEYS = {"name", "contract", "defects", "faults", "config"}
# What a configuration may be wrong about.
CONFIG = {"timeout_s", "ledger_connections", "edges"}


@dataclass(frozen=True, slots=True)
class Version:
    """name: told by /healthz. defects: see mock_lender/defects. faults: planted from the start, see
    http/planted.py. config: timeout_s of calls and payouts, ledger_connections, edges. contract:
    of the language between services; those that speak another one may misunderstand it."""

    name: str = "1"
    contract: int = 1
    defects: tuple[str, ...] = ()
    faults: tuple[Mapping[str, Any], ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Version":
        """From JSON. Raises ValueError."""
        raw = json.loads(text)
        if not isinstance(raw, dict) or not NAME.fullmatch(str(raw.get("name", ""))):
            raise ValueError("a version has a name")
        unknown = set(raw) - KEYS | set(raw.get("config", {})) - CONFIG
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return cls(
            name=raw["name"],
            contract=int(raw.get("contract", 1)),
            defects=tuple(str(one) for one in raw.get("defects", ())),
            faults=tuple(dict(one) for one in raw.get("faults", ())),
            config=dict(raw.get("config", {})),
        )

    def configured(self, config: LenderConfig) -> LenderConfig:
        """The lender's configuration as this version has it. Raises ValueError."""
        connections = int(self.config.get("ledger_connections", config.capacity.ledger_connections))
        if connections < 1:
            raise ValueError("ledger_connections: 1 at least")
        return replace(
            config,
            defects=(*config.defects, *self.defects),
            capacity=replace(config.capacity, ledger_connections=connections),
            edges={**config.edges, **self.config.get("edges", {})},
            timeout_s=self.config.get("timeout_s", config.timeout_s),
        )
