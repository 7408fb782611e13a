"""The mock lender as a target: the one place where the harness knows mock_lender."""

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from harness.errors import TargetError
from harness.evidence.rows import Borrower, Tier
from harness.evidence.store import RunDir
from harness.faults import console
from harness.guardian.client import Guardian
from harness.load.funds import Funding
from harness.proxy.client import ProxyClient
from harness.proxy.struck import NAME as RECORD
from harness.scenario.law import begin_s
from harness.scenario.model import FaultSpec, LenderSpec
from harness.target.cache import cache_dir
from harness.target.law_files import law_config
from harness.target.mock_surroundings import MockSurroundings
from harness.target.plan_tables import write_added, write_limits, write_planned
from harness.target.probes import posts_in_progress, process_cpu_s, tree_cpu_s
from mock_lender.cluster.config import (
    CalendarConfig,
    CapacityConfig,
    LenderConfig,
    TierConfig,
)
from mock_lender.cluster.topology import Topology
from mock_lender.resilience.profile import Settings, protections_of

BARRED_PURPOSES = ("securities",)
UP_WITHIN_S = 30.0
NAME = "lender"
# What a scorecard knows of the borrowers.
FEATURES = "features.csv"
SCORED = ("tenure_months", "utilisation_bp", "past_due_days", "income_band")


class MockTarget(MockSurroundings):
    """Starts the mock lender by the guardian and talks to its supervisor on loopback."""

    def __init__(
        self,
        guardian: Guardian,
        run: RunDir,
        spec: LenderSpec,
        population: Iterable[Borrower],
        funding: Funding,
        token: str,
        proxy: ProxyClient | None,
        edges: tuple[str, ...],
    ) -> None:
        super().__init__(run.path, token, dict(spec.replicas), proxy)
        self._guardian = guardian
        self._run = run
        self._spec = spec
        self._population = tuple(population)
        self._funding = funding
        self._edges = edges
        self._protections = protections_of(spec.profile, dict(spec.protections))
        self.asked_ns = 0
        self._t0_ns = 0
        self.services_down_s = 0.0
        self.wall_clock_moved_s = 0.0
        self._log = self._records / "supervisor.log"

    # -- starting ---------------------------------------------------------------------------

    def start(self) -> None:
        """Write the configuration and start the supervisor; returns at once."""
        for edge in self._edges:
            if self._proxy is None:
                raise TargetError(f"edge {edge} should lead through a proxy, and there is none")
            self._proxied[edge] = self._proxy.add(edge)
        self._records.mkdir(exist_ok=True)
        work = self._run.path / "work"
        work.mkdir(mode=0o700, exist_ok=True)
        config_json = work / "lender.json"
        self._config().write(config_json)
        config_json.chmod(0o600)
        self._write_population(work / "population.csv")
        self.asked_ns = time.monotonic_ns()
        self._guardian.spawn(
            NAME,
            [sys.executable, "-m", "mock_lender.cluster.supervisor", str(config_json)],
            stdout=self._log,
        )

    def _config(self) -> LenderConfig:
        capacity = self._spec.capacity
        return LenderConfig(
            work_dir=str(self._run.path / "work"),
            telemetry_dir=str(self._records),
            topology_json=str(self._topology_json),
            population_csv=str(self._run.path / "work" / "population.csv"),
            cache_dir=str(cache_dir(self._run.path / "work")),
            token=self._token,
            protections=self._protections,
            replicas=dict(self._spec.replicas),
            capacity=CapacityConfig(
                gateway_slots=capacity.gateway_slots,
                ledger_connections=capacity.ledger_connections,
                bank_slots=capacity.bank_slots,
                bank_latency_s=capacity.bank_latency_s,
                quota_latency_s=capacity.quota_latency_s,
                status_latency_s=capacity.status_latency_s,
            ),
            tiers=self._tiers(),
            barred_purposes=BARRED_PURPOSES,
            edges={edge: f"{host}:{port}" for edge, (host, port) in self._proxied.items()},
            defects=self._spec.defects,
            on_standby_lost=self._spec.standby_lost,
            features_csv=str(self._run.path / "work" / FEATURES),
            judge_lost=self._spec.judge_lost,
            law=law_config(self._run.path / "work", self._spec.law, self._population),
            reserve_fen=self._spec.reserve_fen,
            calendar=CalendarConfig(self._spec.calendar.hour_s, self._spec.calendar.day_hours),
            forecast_fen=self._funding.forecast_fen,
            site_round_trip_s=self._spec.site_round_trip_s,
        )

    def _tiers(self) -> tuple[TierConfig, ...]:
        return tuple(self._tier(tier, share) for tier, share in self._spec.tier_shares)

    def _tier(self, tier: str, share: float) -> TierConfig:
        funds, settings = self._funding.tiers[tier], Settings.of(self._protections)
        return TierConfig(
            tier,
            f"bank.{tier}",
            share,
            funds.balance_fen,
            self._own_bp(tier),
            closes=tier not in self._spec.without_close,
            slices=settings.slices or funds.parts,
            hour_limit_fen=funds.hour_limit_fen,
            day_limit_fen=funds.day_limit_fen,
            money_bound_fen=self._spec.money_bound_fen,
        )

    def _own_bp(self, tier: str) -> int:
        """Joint lending: ten-thousandths of the tier's draws that `own` takes."""
        return round(dict(self._spec.joint_own).get(tier, 0.0) * 10_000)

    def _write_population(self, path: Path) -> None:
        rows = ["borrower,group,limit_fen,barred,delinquent"]
        rows += [
            f"{b.borrower},{b.group},{b.limit_fen},{int(b.barred)},{int(b.delinquent)}"
            for b in self._population
        ]
        path.write_text("\n".join(rows) + "\n")
        rows = [",".join(("borrower", *SCORED))]
        rows += [
            ",".join(str(getattr(b, name)) for name in ("borrower", *SCORED))
            for b in self._population
            if b.tenure_months is not None
        ]
        path.with_name(FEATURES).write_text("\n".join(rows) + "\n")

    def poll_ready(self) -> bool:
        """True once the topology is written, which the supervisor does when all answer."""
        if not self._topology_json.exists():
            if time.monotonic_ns() - self.asked_ns > UP_WITHIN_S * 1e9:
                raise TargetError(f"the lender was not up within {UP_WITHIN_S:.0f} s: {self._log}")
            return False
        self._topology = Topology.read(self._topology_json)
        for edge in self._edges:
            client, _, server = edge.partition("->")
            # A replica has its own edge or its role's: through the first it comes to the second.
            shared = self._proxied.get(f"{client.rpartition('-')[0]}->{server}")
            if self._proxy is not None:
                self._proxy.set_upstream(edge, *(shared or self.replica_address(server)))
        return True

    def died(self, status: int) -> str:
        """What to say when the supervisor has ended: its last lines (the first of them may be that
        of the part that failed), and where the rest is."""
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["no output"]
        last = "; ".join(lines[-2:])[:400]
        return f"the lender ended (status {status}): {last} (all of it: {self._log})"

    @property
    def up_s(self) -> float:
        """From the request to start until every service answered."""
        return (self.topology.ready_ns - self.asked_ns) / 1e9

    @property
    def logs(self) -> tuple[Path, ...]:
        return (self._log,)

    # -- what the drill asks ----------------------------------------------------------------

    def base_urls(self) -> Mapping[str, str]:
        return {
            one.name: "http://{}:{}".format(
                *self._proxied.get(f"borrower->{one.name}", (one.host, one.port))
            )
            for one in self.topology.services
            if one.role == "gateway"
        }

    def begins(self, t0_ns: int, faults: Iterable[FaultSpec]) -> None:
        self._t0_ns = t0_ns
        if self._spec.tier_terms:
            self._control("POST", f"/calendar?began_ns={t0_ns}", timeout_s=10)
        known = {str(dict(one.params).get("target")): one for one in faults}
        dates = {
            date: {
                "at_ns": t0_ns + round(at_s * 1e9),
                "partners_stop": dict(known[date].params)["partners"] == "on",
            }
            for date, at_s in begin_s(known.values()).items()
        }
        if dates:
            console.tell(self, "/dates", dates)

    def settle(self) -> None:
        self._control("POST", "/checkpoint", timeout_s=10)

    def pending(self) -> int | None:
        try:
            answer = self._control("GET", "/pending", timeout_s=2)
        except TargetError:
            return None
        return int(answer["paying"])

    def at_rest(self) -> bool:
        """No hold is open, and no gateway has a press in its slots or its queue."""
        return self.pending() == 0 and all(
            posts_in_progress(service.host, service.port) == 0
            for service in self.topology.services
            if service.role == "gateway"
        )

    def sweeper_window_s(self) -> float:
        # First look, one close that goes unanswered, one that does not, and a poll to hear of it.
        return Settings.of(self._protections).sweeper_first_look_s + 4.0

    def cpu_s(self) -> Mapping[str, float]:
        used: dict[str, float] = {}
        for service in self.topology.services:
            seconds = process_cpu_s(service.pid, service.start_ticks)
            used[service.role] = used.get(service.role, 0.0) + seconds
        for member in self.databases().members:
            hop = "database" if member.role == "primary" else "standby"
            used[hop] = used.get(hop, 0.0) + sum(tree_cpu_s(member.pid))
        return used

    def facts(self) -> Mapping[str, object]:
        return {
            "kind": "mock",
            "protections": list(self._protections),
            "database": self.topology.database,
            "sweeper_window_s": self.sweeper_window_s(),
        }

    def export(self) -> None:
        """Books by the lender's own export; what it published and its rules from the plan."""
        books = self._run.path / "work" / "books"
        books.mkdir(exist_ok=True)
        answer = self._control("POST", f"/export?dir={quote(str(books))}", timeout_s=30)
        self.services_down_s = float(answer["services_down_s"])
        self.wall_clock_moved_s = answer["wall_clock_moved_ns"] / 1e9
        for table in ("draws", "tries", "repayments", "versions", "postings"):
            self._run.import_csv(table, [books / f"{table}.csv"])
        for table in ("payouts", "tombstones"):
            self._run.import_csv(table, sorted(books.glob(f"{table}*.csv")))
        write_limits(self._run, books / "limits.csv", self._sources(), self._t0_ns)
        self.export_records()

    def export_records(self) -> None:
        """What does not need a living lender: its records of calls, states and rules."""
        records = self._records
        beside = self._run.path / "work" / RECORD  # the proxy's own, if there is one
        for table in ("calls", "states"):
            found = sorted(records.glob(f"{table}.*.csv"))
            mine = [beside] if table == "states" and beside.exists() else []
            self._run.import_csv(table, [*found, *mine])
        write_added(self._run, records, self._sources(), self._spec.law)

    def write_plan(self) -> None:
        """Tables known before anything runs: population, tiers, policies, what was published."""
        write_planned(self._run, self._population, self._sources(), BARRED_PURPOSES)

    def _sources(self) -> list[Tier]:
        return [
            Tier(
                tier, f"bank.{tier}", share, funds.balance_fen, self._own_bp(tier), 0,
                hour_limit_fen=funds.hour_limit_fen, day_limit_fen=funds.day_limit_fen,
            )
            for tier, share in self._spec.tier_shares
            for funds in (self._funding.tiers[tier],)
        ]  # fmt: skip

    def stop(self) -> None:
        self._guardian.stop(NAME, grace_s=3.0)
