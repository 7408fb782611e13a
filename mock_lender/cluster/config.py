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
    slices: rows that its money lies in. hour_limit_fen, day_limit_fen: what may be drawn from it in
    an hour, in a day of the calendar; None: any amount. money_bound_fen: what its bank pays out in
    a minute at most; 0: as much as there is.
    """

    tier: str
    bank: str
    share: float
    balance_fen: int
    own_bp: int = 0
    closes: bool = True
    slices: int = 8
    hour_limit_fen: int | None = None
    day_limit_fen: int | None = None
    money_bound_fen: int = 0


@dataclass(frozen=True, slots=True)
class CalendarConfig:
    """How long an hour is, and how many of them are a day: drills press a day into a minute."""

    hour_s: float = 3600.0
    day_hours: int = 24


@dataclass(frozen=True, slots=True)
class CapacityConfig:
    """Slots are per replica or bank; requests beyond them queue, first in first out. So long a look
    at a quota (quota_latency_s) or at a draw (status_latency_s) keeps one of its ledger's
    connections."""

    gateway_slots: int
    ledger_connections: int
    bank_slots: int
    bank_latency_s: float
    quota_latency_s: float = 0.0
    status_latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LawConfig:
    """The law that binds the lender.

    rules_yaml: its rules file. register_csv: `borrower,group,limit_fen,student,unverified`. today:
    the rules that take effect up to this date are in force as the lender comes up. adoption_s: how
    long it takes to adopt a rule. all_in_cost_bp: what a draw costs a year, all in,
    ten-thousandths, by the borrower's group.
    """

    rules_yaml: str
    register_csv: str
    today: str
    adoption_s: float
    all_in_cost_bp: dict[str, int]


@dataclass(frozen=True, slots=True)
class LenderConfig:
    """All a lender needs to know.

    work_dir: databases and sockets, removed by whoever made it. telemetry_dir: `calls.REPLICA.csv`
    and `states.REPLICA.csv`. population_csv: `borrower,group,limit_fen,barred,delinquent` with a
    header, booleans as 0/1. token: control and drill token. edges: `client->server` (a role or a
    replica as the client, a replica or bank as the server: `gateway->bank.own`,
    `gateway-1->risk-2`) to `host:port`, for edges that lead through a proxy. cache_dir: where the
    database template is kept. on_standby_lost: `degrade` (go on with one copy, and say so) or
    `stop` (commits wait for a standby). key_retention_s: presses with an older key get 410, unless
    its draw was paid or refused, which is told for ever, or is being paid.
    expire_after_s: draws that nobody comes back to end. timeout_s: of calls and payouts, instead
    of what follows from the protections. features_csv: what a scorecard knows of each borrower,
    `borrower,tenure_months,utilisation_bp,past_due_days,income_band`; empty: nothing. judge_lost:
    what comes of a draw about which risk or compliance can't be asked: `closed`, it fails, or
    `open`, it goes on as if they had approved. reserve_fen: money in the treasury that an early
    warning may send for, for tiers that run short. forecast_fen: what the lender expects to be
    drawn in each hour from the calendar's beginning; empty: it expects nothing. site_round_trip_s:
    how far the two sites are apart.
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
    features_csv: str = ""
    judge_lost: str = "closed"
    law: LawConfig | None = None
    reserve_fen: int = 0
    calendar: CalendarConfig = field(default_factory=CalendarConfig)
    forecast_fen: tuple[int, ...] = ()
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
        raw["calendar"] = CalendarConfig(**raw["calendar"])
        for name in ("protections", "barred_purposes", "defects", "forecast_fen"):
            raw[name] = tuple(raw[name])
        law: dict[str, Any] | None = raw.get("law")
        raw["law"] = None if law is None else LawConfig(**law)
        return cls(**raw)

    @property
    def database_connections(self) -> int:
        """For the ledgers' pools and lanes, the export, the console and an administrator."""
        return self.replicas["ledger"] * (self.capacity.ledger_connections + 2) + 24

    def names(self) -> list[str]:
        """Every replica and bank, `gateway-1` … `bank.partner-a`, and the console."""
        replicas = [f"{role}-{n + 1}" for role in ROLES for n in range(self.replicas[role])]
        return [*replicas, *(tier.bank for tier in self.tiers), CONSOLE]
