"""The rows of each table, as plain values: fields in the order of columns.py, with its units.

Apart from columns.py so that whoever plans or judges needs no pyarrow.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

# A request that was refused as malformed says so in its `reason`: ours is the mistake then.
# The hop of what broke on the generator's own machine; no lender's word, so with status 0 alone.
MACHINE = "machine"
MISTAKE = "harness-mistake:"

# Attempts that are about the draw itself; looks and repayments go with it.
DRAWING = ("press", "poll", "close")


def is_of_phase(due: str, phase: str, *, straddling: bool) -> bool:
    """Is a phase judged by an intent that was due in one? What straddles the first bite counts to
    the fault phase and not to the baseline."""
    if phase == "baseline":
        return due == "baseline" and not straddling
    return due == phase or (phase == "fault" and straddling)


class Intent(NamedTuple):
    """A row of `intents`: one borrower wants one amount at one due time."""

    intent: int
    draw_key: str
    borrower: int
    group: str
    amount_fen: int
    purpose: str
    due_ns: int
    phase: str
    straddling: bool

    def counts_in(self, phase: str) -> bool:
        """Is a phase judged by it?"""
        return is_of_phase(self.phase, phase, straddling=self.straddling)


class RepayIntent(NamedTuple):
    """A row of `repay_intents`: what the borrower of a draw gives back if it is granted."""

    intent: int
    repay_key: str
    borrower: int
    amount_fen: int
    due_ns: int


class Attempt(NamedTuple):
    """A row of `attempts`: one request made for an intent."""

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
    """A row of `calls`: one side of one call between parts of the lender."""

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
    """A row of `states`: a dated change of a breaker or a sweeper."""

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
    lag_ns_p99: int | None = None
    connect_ns_p99: int | None = None
    connect_ns_max: int | None = None


class ClockRow(NamedTuple):
    """A row of `clocks`: one worker's clock against the controller's."""

    worker: str
    host: str
    at_ns: int
    offset_ns: int
    uncertainty_ns: int
    applied_ns: int
    same_kernel: bool
    exchanges: int


class DiskBeat(NamedTuple):
    """A row of `disk`: one small write and its fsync, by the controller."""

    began_ns: int
    took_ns: int


class NoticeLook(NamedTuple):
    """A row of `notice_looks`: a notice that was shown to an onlooker, or that none was."""

    borrower: int
    gateway: str
    sent_ns: int
    done_ns: int
    status: int
    policy: int | None = None
    kind: str | None = None
    rule: str | None = None


class Draw(NamedTuple):
    """A row of `draws`: the ledger's own."""

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
    """A row of `tries`: one attempt of the lender to pay a draw."""

    draw_key: str
    try_: int
    tier: str
    slice: int
    own_slice: int | None
    own_fen: int
    payout_key: str
    state: str
    opened_ns: int
    not_after_ns: int | None
    ended_ns: int | None
    ended_by: str | None


class Repayment(NamedTuple):
    """A row of `repayments`: money a borrower has given back, or tried to."""

    repay_key: str
    borrower: int
    amount_fen: int
    state: str
    ended_ns: int


class Collection(NamedTuple):
    """A row of `collections`: a repayment that the lender itself asked for."""

    repay_key: str
    borrower: int
    amount_fen: int
    asked_ns: int


class Version(NamedTuple):
    """A row of `versions`: an account after one event."""

    account: str
    version: int
    limit_fen: int | None
    outstanding_fen: int | None
    held_fen: int | None
    balance_fen: int | None
    locked_ns: int
    draw_key: str
    try_: int
    event: str


class Posting(NamedTuple):
    """A row of `postings`: one side of a double entry."""

    draw_key: str
    try_: int
    event: str
    account: str
    amount_fen: int
    locked_ns: int


class Payout(NamedTuple):
    """A row of `payouts`: what a bank has paid."""

    bank: str
    payout_key: str
    draw_key: str
    amount_fen: int
    paid_ns: int


class Tombstone(NamedTuple):
    """A row of `tombstones`: a key a bank has closed for ever."""

    bank: str
    payout_key: str
    closed_ns: int


class Published(NamedTuple):
    """A row of `published`: what borrowers had been told."""

    borrower: int | None
    kind: str
    policy: int
    published_ns: int


class Policy(NamedTuple):
    """A row of `policies`: a dated policy or rule."""

    kind: str
    policy: int
    forbids: str | None
    in_force_ns: int | None
    adopted_ns: int | None
    replica: str | None
    above_fen: int | None = None
    score_below: int | None = None
    ended_ns: int | None = None
    stress_bp: int | None = None
    keep_bp: int | None = None
    rule: str | None = None


class Tier(NamedTuple):
    """A row of `tiers`: a source of funds."""

    tier: str
    bank: str
    share: float
    balance_fen: int
    own_bp: int
    from_ns: int
    available: bool | None = None
    hour_limit_fen: int | None = None
    day_limit_fen: int | None = None


class Borrower(NamedTuple):
    """A row of `population`. Features are null in runs of before they were planned."""

    borrower: int
    group: str
    limit_fen: int
    barred: bool
    delinquent: bool
    tenure_months: int | None = None
    utilisation_bp: int | None = None
    past_due_days: int | None = None
    income_band: int | None = None
    student: bool | None = None
    unverified: bool | None = None


ROWS: Mapping[str, type[Any]] = {
    "intents": Intent, "repay_intents": RepayIntent,
    "attempts": Attempt, "calls": Call, "states": State, "generator": Second,
    "clocks": ClockRow, "disk": DiskBeat, "notice_looks": NoticeLook,
    "draws": Draw, "tries": Try, "repayments": Repayment, "collections": Collection,
    "versions": Version, "postings": Posting, "payouts": Payout,
    "tombstones": Tombstone, "published": Published, "policies": Policy, "tiers": Tier,
    "population": Borrower,
}  # fmt: skip
