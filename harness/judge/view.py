"""What judging reads: one run's evidence as plain, frozen rows. No files, no clock, no pyarrow.

harness.evidence builds it; every part of the judge is a pure function of it. Column meanings and
units are those of harness/evidence/columns.py; field order here is column order there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.scenario.model import Scenario


class Intent(NamedTuple):
    intent: int
    draw_key: str
    borrower: int
    group: str
    amount_fen: int
    purpose: str
    due_ns: int
    phase: str
    straddling: bool


class Attempt(NamedTuple):
    intent: int
    kind: str
    n: int
    scheduled_ns: int
    sent_ns: int | None
    first_byte_ns: int | None
    done_ns: int | None
    status: int
    outcome: str
    cause: str | None
    hop: str | None
    reason: str | None
    replica: str
    worker: str


class Call(NamedTuple):
    draw_key: str
    attempt: int
    edge: str
    client: str
    server: str
    side: str
    start_ns: int
    done_ns: int | None
    sent: bool
    result: str
    queue_ns: int


class State(NamedTuple):
    replica: str
    kind: str
    subject: str
    state: str
    at_ns: int


class Second(NamedTuple):
    """A row of `generator`."""

    worker: str
    second: int
    sent: int
    late_ns_max: int
    late_ns_p99: int
    lag_ns_max: int
    dropped: int
    gc_ns: int
    cpu_share: float
    psi_share: float | None
    steal_share: float | None


class Draw(NamedTuple):
    draw_key: str
    borrower: int
    amount_fen: int
    purpose: str
    state: str
    try_: int | None
    tier: str | None
    requested_ns: int
    decided_ns: int | None
    ended_ns: int | None
    cause: str | None
    hop: str | None
    reason: str | None
    risk_policy: int | None
    risk_ns: int | None
    compliance_rules: int | None
    compliance_ns: int | None


class Try(NamedTuple):
    draw_key: str
    try_: int
    tier: str
    payout_key: str
    state: str
    opened_ns: int
    ended_ns: int | None
    ended_by: str | None


class Version(NamedTuple):
    account: str
    version: int
    limit_fen: int | None
    outstanding_fen: int | None
    held_fen: int
    balance_fen: int | None
    locked_ns: int
    draw_key: str
    try_: int
    event: str


class Posting(NamedTuple):
    draw_key: str
    try_: int
    event: str
    account: str
    amount_fen: int
    locked_ns: int


class Payout(NamedTuple):
    bank: str
    payout_key: str
    draw_key: str
    amount_fen: int
    paid_ns: int


class Tombstone(NamedTuple):
    bank: str
    payout_key: str
    closed_ns: int


class Published(NamedTuple):
    borrower: int | None
    kind: str
    policy: int
    published_ns: int


class Policy(NamedTuple):
    kind: str
    policy: int
    forbids: str | None
    in_force_ns: int
    adopted_ns: int | None
    replica: str | None


class Tier(NamedTuple):
    tier: str
    bank: str
    share: float
    balance_fen: int
    from_ns: int


class Borrower(NamedTuple):
    borrower: int
    group: str
    limit_fen: int
    barred: bool
    delinquent: bool


ROWS: Mapping[str, type] = {
    "intents": Intent, "attempts": Attempt, "calls": Call, "states": State, "generator": Second,
    "draws": Draw, "tries": Try, "versions": Version, "postings": Posting, "payouts": Payout,
    "tombstones": Tombstone, "published": Published, "policies": Policy, "tiers": Tier,
    "population": Borrower,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One fault's life, from faults.jsonl; times are ns, null when it never came to that.

    `observed_ns` and `last_observed_ns` bracket the bite as the nemesis' own probes saw it.
    A fault with `heals` False counts as healed at its bite.
    """

    name: str
    edge_or_replica: str
    heals: bool
    planned_ns: int
    injected_ns: int | None
    observed_ns: int | None
    last_observed_ns: int | None
    healed_ns: int | None
    heal_observed_ns: int | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class RunView:
    """One run. `missing`: tables that are not there; `cut`: tables whose stream was cut short.

    `ended`: `complete`, or how the run ended instead (`interrupted`, `aborted: ...`, `cut`).
    `t0_ns` is t = 0; `load_end_ns`/`drain_end_ns` are null when the run did not come that far.
    `printed`: figures of the drill that are shown and not judged (lender up/down, CPU a draw).
    """

    scenario: Scenario
    ended: str
    t0_ns: int
    load_end_ns: int | None
    drain_end_ns: int | None
    missing: tuple[str, ...]
    cut: tuple[str, ...]
    intents: tuple[Intent, ...]
    attempts: tuple[Attempt, ...]
    calls: tuple[Call, ...]
    states: tuple[State, ...]
    generator: tuple[Second, ...]
    draws: tuple[Draw, ...]
    tries: tuple[Try, ...]
    versions: tuple[Version, ...]
    postings: tuple[Posting, ...]
    payouts: tuple[Payout, ...]
    tombstones: tuple[Tombstone, ...]
    published: tuple[Published, ...]
    policies: tuple[Policy, ...]
    tiers: tuple[Tier, ...]
    population: tuple[Borrower, ...]
    faults: tuple[FaultLine, ...]
    harness_failures: tuple[str, ...] = ()
    printed: Mapping[str, float | int | None] = field(default_factory=dict)
