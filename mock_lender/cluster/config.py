"""The lender's configuration: one JSON file, written by whoever starts it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mock_lender import defects

ROLES = ("gateway", "risk", "compliance", "ledger")
# Where who runs the lender, or spoils it, has a hand on its database and its rule book.
CONSOLE = "console-1"


@dataclass(frozen=True, slots=True)
class TierConfig:
    """A source of funds: its share of the draws (0..1), its money, the bank that pays for it.

    own_bp: joint lending, the ten-thousandths of each of its draws that the tier `own` takes.
    closes: its bank can close a payout key; one that can't refuses payouts after a given moment.
    slices: rows that its money lies in. money_bound_fen: what its bank pays out in a minute at
    most; 0: as much as there is.
    """

    tier: str
    bank: str
    share: float
    balance_fen: int
    own_bp: int = 0
    closes: bool = True
    slices: int = 8
    money_bound_fen: int = 0


@dataclass(frozen=True, slots=True)
class CapacityConfig:
    """Slots are per replica or bank; requests beyond them queue, first in first out."""

    gateway_slots: int
    ledger_connections: int
    bank_slots: int
    bank_latency_s: float


@dataclass(frozen=True, slots=True)
class LenderConfig:
    """All a lender needs to know.

    work_dir: databases and sockets, removed by whoever made it. telemetry_dir: `calls.REPLICA.csv`
    and `states.REPLICA.csv`. population_csv: `borrower,group,limit_fen,barred,delinquent` with a
    header, booleans as 0/1. token: control and drill token. edges: `client->server` (a role or a
    replica as the client, a replica or bank as the server: `gateway->bank.own`,
    `gateway-1->risk-2`) to `host:port`, for edges that lead through a proxy. cache_dir: where the
    database template is kept. on_standby_lost: `degrade` (go on with one copy, and say so) or
    `stop` (commits wait for a standby). key_retention_s: presses with an older key get 410.
    expire_after_s: draws that nobody comes back to end. timeout_s: of calls and payouts, instead
    of what follows from the protections. site_round_trip_s: how far the two sites are apart.
    """

    work_dir: str
    telemetry_dir: str
    topology_json: str
    population_csv: str
    cache_dir: str
    token: str
    protections: tuple[str, ...]
    replicas: dict[str, int]
    capacity: CapacityConfig
    tiers: tuple[TierConfig, ...]
    barred_purposes: tuple[str, ...]
    edges: dict[str, str] = field(default_factory=dict)
    defects: tuple[str, ...] = ()
    on_standby_lost: str = "degrade"
    key_retention_s: float = 3600.0
    expire_after_s: float = 60.0
    timeout_s: float | None = None
    site_round_trip_s: float = 0.0

    def __post_init__(self) -> None:
        defects.check(self.defects)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> "LenderConfig":
        raw: dict[str, Any] = json.loads(path.read_text())
        raw["capacity"] = CapacityConfig(**raw["capacity"])
        raw["tiers"] = tuple(TierConfig(**tier) for tier in raw["tiers"])
        for name in ("protections", "barred_purposes", "defects"):
            raw[name] = tuple(raw[name])
        return cls(**raw)

    @property
    def database_connections(self) -> int:
        """For the ledgers' pools and lanes, the export, the console and an administrator."""
        return self.replicas["ledger"] * (self.capacity.ledger_connections + 2) + 24

    def names(self) -> list[str]:
        """Every replica and bank, `gateway-1` … `bank.partner-a`, and the console."""
        replicas = [f"{role}-{n + 1}" for role in ROLES for n in range(self.replicas[role])]
        return [*replicas, *(tier.bank for tier in self.tiers), CONSOLE]
