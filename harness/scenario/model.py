"""A scenario, read and checked: frozen values, units in the names, no defaults left to guess.

Times are seconds from t = 0, the start of warmup. Nothing here reads files.
"""

from dataclasses import dataclass, field
from typing import Literal

from harness.scenario.entry import Entry
from harness.scenario.law import LawSpec
from harness.scenario.shape import Shape
from harness.scenario.terms import Calendar, TierTerms

Cause = Literal["risk", "liquidity", "system", "compliance"]
CAUSES: tuple[Cause, ...] = ("risk", "liquidity", "system", "compliance")
PHASES = ("warmup", "baseline", "fault", "watch")
BORROWERS_MAX = 1_000_000
PROFILES = ("none", "naive", "full")
# What a draw may be for.
PURPOSES = ("consumption", "education", "medical", "renovation")
PROTECTIONS = (
    "admission", "breaker", "canary", "cells", "compliance_first", "deadlines", "early_warning",
    "failover", "fine_allocation", "funding_plan", "handshake", "last_verdict", "money_bound",
    "policy_handshake", "quota_cache", "retries", "retry_budget", "round_robin", "second_site",
    "tier_fallthrough",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Capacity:
    """What bounds the lender, the same in every profile; `*_slots` are per replica or bank.
    quota_latency_s, status_latency_s: how long one look at a quota, or at a draw, keeps a
    connection of its ledger."""

    gateway_slots: int
    ledger_connections: int
    bank_slots: int
    bank_latency_s: float
    quota_latency_s: float = 0.0
    status_latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LenderSpec:
    """The lender a scenario asks for.

    `protections` switches single protections over the profile: ((name, on), ...).
    `tier_shares` are shares of the draws and sum to 1: ((tier, share), ...). `tier_terms`: what is
    agreed about those tiers that have limits or little money, by `calendar`.
    `joint_own`: joint lending, the share of each of a tier's draws that `own` takes:
    ((tier, share), ...). `without_close`: tiers whose bank can't close a payout key.
    `standby_lost`: `degrade` (go on with one copy) or `stop` (commits wait).
    `defects` are planted mistakes, by name; a scenario that proves a lender has none.
    `judge_lost`: what comes of a draw about which risk or compliance can't be asked: it fails
    (`closed`) or goes on unjudged (`open`).
    `law`: the rules that bind it. `reserve_fen`: money that stands by for its tiers, in the
    treasury, for an early warning to send for.
    `site_round_trip_s`: how far its two sites are apart. `money_bound_fen`: what each tier's bank
    may pay out in a minute under the protection `money_bound`; 0: as much as there is.
    """

    profile: str
    protections: tuple[tuple[str, bool], ...]
    replicas: tuple[tuple[str, int], ...]
    capacity: Capacity
    tier_shares: tuple[tuple[str, float], ...]
    joint_own: tuple[tuple[str, float], ...]
    without_close: tuple[str, ...]
    standby_lost: str
    defects: tuple[str, ...]
    judge_lost: str = "closed"
    law: LawSpec = field(default_factory=LawSpec)
    reserve_fen: int = 0
    tier_terms: tuple[tuple[str, TierTerms], ...] = ()
    calendar: Calendar = field(default_factory=Calendar)
    site_round_trip_s: float = 0.0
    money_bound_fen: int = 0

    def has(self, protection: str) -> bool:
        """Is a protection on that of the profiles only `full` has?"""
        return dict(self.protections).get(protection, self.profile == "full")


@dataclass(frozen=True, slots=True)
class Journey:
    """What borrowers do: quota looks per draw (below 1: before so many of the draws), and the share
    of draws that must be refused.

    hot: the share of draws that come in crowds of one borrower, who has quota for half of them;
    hot_in: the phase in which they do, empty for all of them.
    repay: the share of granted draws that are repaid, in full or in part, between
    `repay_after_low_s` and `repay_after_high_s` after they were due.
    """

    quota_per_draw: float
    must_refuse: float
    hot: float = 0.0
    hot_in: str = ""
    repay: float = 0.0
    repay_after_low_s: float = 2.0
    repay_after_high_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Amounts whose logarithm is normal: their median, and the logarithm's standard deviation.

    What falls outside [low_fen, high_fen] is clipped to it; whole yuan.
    """

    median_fen: int
    sigma: float
    low_fen: int
    high_fen: int


@dataclass(frozen=True, slots=True)
class PopulationSpec:
    """Who draws how often, and how much.

    zipf: the exponent of the choice, borrower of rank r by a weight of r ** -zipf; 0: all in turn.
    amounts: None: log-uniform from 100 to 5000 yuan. limits: times the limits of the groups.
    students, unverified: shares of the borrowers that are so, each by itself.
    """

    zipf: float = 0.0
    amounts: LogNormal | None = None
    limits: float = 1.0
    students: float = 0.0
    unverified: float = 0.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a borrower waits and how often it presses again (with the same key)."""

    deadline_s: float
    attempt_timeout_s: float
    retries: int
    pause_low_s: float
    pause_high_s: float
    poll_s: float


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """Who draws how often, how patiently, and by how many load processes.

    generator: bounds of its own health that differ from the defaults of generator_limits.LIMITS:
    ((key, seconds or share), ...).
    """

    shape: Shape
    borrowers: int
    journey: Journey
    patience: Patience
    workers: int
    population: PopulationSpec = PopulationSpec()
    generator: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """Lengths of the phases, seconds. Drain follows watch and has no planned length."""

    warmup_s: float
    baseline_s: float
    fault_s: float
    watch_s: float

    def start_s(self, phase: str) -> float:
        """When a phase starts, seconds from t = 0 (`drain`: when load ends)."""
        lengths = (self.warmup_s, self.baseline_s, self.fault_s, self.watch_s)
        return sum(lengths[: (*PHASES, "drain").index(phase)])

    def end_s(self, phase: str) -> float:
        """When a phase with load ends, seconds from t = 0."""
        return self.start_s((*PHASES, "drain")[PHASES.index(phase) + 1])

    @property
    def load_s(self) -> float:
        """How long load is offered, seconds."""
        return self.start_s("drain")

    def phase_at(self, at_s: float) -> str:
        """The phase that `at_s` falls in; what is due at a boundary belongs to the later one."""
        for phase in reversed(PHASES):
            if at_s >= self.start_s(phase):
                return phase if at_s < self.load_s else "drain"
        return "warmup"


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One planned fault: `family: kind` of the catalogue, its parameters checked by it.

    `params` are in base units with the unit in the key (`latency_s`). `for_s` None: never undone.
    path: the key path of its line, `faults.3`.
    """

    name: str
    family: str
    kind: str
    at_s: float
    for_s: float | None
    params: tuple[tuple[str, float | int | str], ...]
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Expectation:
    """`measure op bound`, as the author wrote it in `text`.

    measure: a name of harness.judge.expectations.MEASURES. bound is in the measure's own unit
    (shares 0..1, ms, s, counts); `relative` bounds are multiples of the run's baseline.
    `recovered within N s` is measure `recover_s`, op `<=`; `audit clean` is `audit_breaches = 0`.
    phase: `baseline`, `fault`, `watch` or `drill`.
    """

    phase: str
    measure: str
    op: Literal["<", "<=", "=", ">=", ">"]
    bound: float
    relative: bool
    text: str


@dataclass(frozen=True, slots=True)
class AbortRule:
    """Abort once `estimate op bound` holds, over the draws due within `for_s` seconds."""

    op: Literal["<", "<=", "=", ">=", ">"]
    bound: float
    for_s: float
    text: str


@dataclass(frozen=True, slots=True)
class SafetySpec:
    """max_targets: how many distinct edges, replicas or banks may be faulted at once; None: as many
    as the faults say. blind_after_s: without any outcome for so long the drill is aborted."""

    max_targets: int | None = None
    blind_after_s: float = 6.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. toxiproxy: the base URL of one that is there already, to be used instead of
    a proxy of the drill's own; empty for none. proxied: edges that lead through the proxy though no
    fault is on them, in order of name. entry: what the catalogue has of it; None: not in it."""

    name: str
    cause: Cause
    seed: int
    lender: LenderSpec
    load: LoadSpec
    phases: PhasePlan
    faults: tuple[FaultSpec, ...]
    expect: tuple[Expectation, ...]
    abort: tuple[AbortRule, ...]
    safety: SafetySpec = SafetySpec()
    toxiproxy: str = ""
    proxied: tuple[str, ...] = ()
    entry: Entry | None = None
