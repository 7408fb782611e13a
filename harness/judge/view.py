"""What judging reads: one run's evidence as frozen values. No files, no clock.

The tables that grow with the load are Rows, which keep their columns to themselves, perhaps on the
disk; the rest are small, or read so often that they are plain tuples of rows. Who looks at all of a
table that grows asks for it in SQL: `view.books.ask("select ... from versions")`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.evidence.columnar import Rows
from harness.evidence.manifest import Manifest
from harness.evidence.query import Books
from harness.evidence.rows import (
    Attempt,
    Borrower,
    Call,
    ClockRow,
    Collection,
    DiskBeat,
    Draw,
    Intent,
    NoticeLook,
    Payout,
    Policy,
    Posting,
    Published,
    RepayIntent,
    Repayment,
    Second,
    State,
    Tier,
    Tombstone,
    Try,
    Version,
)
from harness.scenario.model import Scenario

# They stay columns.
GROWING = (
    "intents", "repay_intents", "attempts", "calls", "draws", "tries", "repayments", "collections",
    "versions", "postings", "payouts", "tombstones", "population", "disk",
)  # fmt: skip
# Tables that are small, and asked with the others.
SMALL = ("states", "generator", "published", "policies", "tiers")


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One fault's life, from faults.jsonl; times are ns, null when it never came to that.

    `observed_ns` and `last_observed_ns` bracket the bite as the nemesis' own probes saw it.
    healer: nemesis | target | nobody; with nobody it counts as healed at its bite, with target when
    the target's own remedy was seen.
    """

    name: str
    edge_or_replica: str
    healer: str
    planned_ns: int
    injected_ns: int | None
    observed_ns: int | None
    last_observed_ns: int | None
    healed_ns: int | None
    heal_observed_ns: int | None
    failure: str | None
    # When the calls began that ended at injected_ns and healed_ns: the truth lies in between.
    inject_began_ns: int | None = None
    heal_began_ns: int | None = None


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
    intents: Rows[Intent]
    attempts: Rows[Attempt]
    calls: Rows[Call]
    states: tuple[State, ...]
    generator: tuple[Second, ...]
    draws: Rows[Draw]
    tries: Rows[Try]
    repayments: Rows[Repayment]
    versions: Rows[Version]
    postings: Rows[Posting]
    payouts: Rows[Payout]
    tombstones: Rows[Tombstone]
    published: tuple[Published, ...]
    policies: tuple[Policy, ...]
    tiers: tuple[Tier, ...]
    population: Rows[Borrower]
    faults: tuple[FaultLine, ...]
    harness_failures: tuple[str, ...] = ()
    printed: Mapping[str, float | int | None] = field(default_factory=dict)
    # Keys of planned draws that a run which ended early had not offered, as far as it knows: what
    # the generator sent last may be missing from its record, and is no draw out of nowhere.
    unoffered_keys: frozenset[str] = frozenset()
    # Planned repayments: made only where their draw was granted.
    repay_intents: Rows[RepayIntent] = field(default_factory=lambda: Rows.of("repay_intents", ()))
    clocks: tuple[ClockRow, ...] = ()
    collections: Rows[Collection] = field(default_factory=lambda: Rows.of("collections", ()))
    # What the load says of its own evidence; and all that was planned, as it was handed out: due_ns
    # from t = 0.
    manifest: Manifest | None = None
    planned: Rows[Intent] = field(default_factory=lambda: Rows.of("intents", ()))
    # What of the evidence is not as it was when the run ended, in sentences.
    spoilt: tuple[str, ...] = ()
    # The run is of a version whose load always leaves a manifest.
    owes_manifest: bool = False
    # How the disk was, and whether the run is of a version whose controller always looked at it.
    disk: Rows[DiskBeat] = field(default_factory=lambda: Rows.of("disk", ()))
    owes_disk: bool = False
    # What was seen of notices from outside; `published` is what the judge believes by it, and the
    # outages in `tiers` are what it believes by the record of faults.
    notice_looks: tuple[NoticeLook, ...] = ()
    books: Books = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Plain rows, which tests make by hand, become columns."""
        for name in GROWING:
            rows = getattr(self, name)
            if not isinstance(rows, Rows):
                object.__setattr__(self, name, Rows.of(name, rows))
        tables = {name: getattr(self, name) for name in GROWING}
        small = {name: Rows.of(name, getattr(self, name)) for name in SMALL}
        unoffered = Rows.of("tombstones", ((None, key, None) for key in self.unoffered_keys))
        object.__setattr__(self, "books", Books({**tables, **small, "unoffered": unoffered}))
