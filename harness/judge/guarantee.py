"""guarantee = kept ÷ promised, access = granted in time and lawfully ÷ (promised or withheld).

By count and by money, by phase, cause, hop and fault, and by second for the report.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.judge.ends import IntentEnd
from harness.judge.view import RunView
from harness.scenario.model import CAUSES
from harness.seeds import stream

RESAMPLES = 400
BLOCK_S = 1


@dataclass(frozen=True, slots=True)
class Share:
    """kept of promised, by count and by money; ratios are null when nothing was promised."""

    promised: int = 0
    kept: int = 0
    broken: int = 0
    late: int = 0
    promised_fen: int = 0
    kept_fen: int = 0
    broken_fen: int = 0
    withheld: int = 0
    withheld_fen: int = 0
    granted_anyway: int = 0
    granted_anyway_fen: int = 0
    rightly_refused: int = 0
    wrongly_approved: int = 0
    unresolved: int = 0

    @property
    def count(self) -> float | None:
        """Guarantee: draws kept ÷ draws promised.

        Over the promised draws of the phase, group or replica, or of all the drill; straddlers
        belong to the fault phase. Null when none was promised.
        """
        return _ratio(self.kept, self.promised)

    @property
    def money(self) -> float | None:
        """Guarantee by money: amounts kept ÷ amounts promised.

        Over the same draws. Null when none was promised.
        """
        return _ratio(self.kept_fen, self.promised_fen)

    @property
    def access(self) -> float | None:
        """Access: draws granted in time and lawfully ÷ draws promised or withheld.

        Over promised and withheld draws. Null when there was none.
        """
        return _ratio(self.kept + self.granted_anyway, self.promised + self.withheld)

    @property
    def access_money(self) -> float | None:
        """Access by money: amounts granted in time and lawfully ÷ amounts promised or withheld.

        Over the same draws. Null when there was none.
        """
        granted_fen = self.kept_fen + self.granted_anyway_fen
        return _ratio(granted_fen, self.promised_fen + self.withheld_fen)


@dataclass(frozen=True, slots=True)
class Broken:
    """Broken intents of one cause and hop."""

    cause: str
    hop: str
    draws: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The whole drill and its parts. `per_second`: (second from t = 0, offered, kept, broken by
    cause) by due time, over promised intents."""

    total: Share
    by_phase: dict[str, Share]
    by_cause: dict[str, int]
    by_hop: dict[str, int]
    by_fault: dict[str, int]
    broken_by: tuple[Broken, ...]
    avoidable: int | None
    unfunded: int | None
    interval95: tuple[float, float] | None
    per_second: tuple[tuple[int, int, int, dict[str, int]], ...]


def guarantee(view: RunView, ends: Sequence[IntentEnd]) -> Guarantee:
    """Broken draws by phase, by their one cause, by the one hop where it first went wrong, and by
    the faults that touched them, which may be several.

    Over promised draws of the whole drill. Straddling draws count in the totals and in the fault
    phase; warmup in the totals alone.
    """
    broken = [end for end in ends if end.broken]
    by_fault: Counter[str] = Counter()
    for end in broken:
        by_fault.update(end.exposed_to)
    causes = Counter(str(end.cause) for end in broken)
    return Guarantee(
        total=share_of(ends),
        by_phase={
            phase: share_of(of_phase(ends, phase)) for phase in ("baseline", "fault", "watch")
        },
        by_cause={cause: causes[cause] for cause in CAUSES},
        by_hop=dict(sorted(Counter(str(end.hop) for end in broken).items())),
        by_fault={fault.name: by_fault[fault.name] for fault in view.faults},
        broken_by=_broken_by(broken),
        avoidable=avoidable(broken),
        unfunded=unfunded(broken),
        interval95=interval95(view, ends),
        per_second=_per_second(view, ends),
    )


def avoidable(broken: Iterable[IntentEnd]) -> int | None:
    """Broken draws that could have been kept: some lawful split of the tiers covered them, and the
    law had not changed.

    Over broken draws. Null when the tiers' money is not known and one was broken.
    """
    found = [end.avoidable for end in broken]
    return None if None in found else sum(map(bool, found))


def unfunded(broken: Iterable[IntentEnd]) -> int | None:
    """Broken draws that were lawful, and that no lawful split of any tiers covered.

    Over broken draws. Null when the tiers' money is not known and one was broken.
    """
    found = [end.avoidable for end in broken if end.lawful]
    return None if None in found else found.count(False)


def of_phase(ends: Iterable[IntentEnd], phase: str) -> list[IntentEnd]:
    """The intents a phase is judged by."""
    return [end for end in ends if end.intent.counts_in(phase)]


def share_of(ends: Iterable[IntentEnd]) -> Share:
    """Counts and money of some intents."""
    counts: Counter[str] = Counter()
    fen: Counter[str] = Counter()
    promised = promised_fen = unresolved = 0
    for end in ends:
        counts[end.end] += 1
        fen[end.end] += end.intent.amount_fen
        unresolved += end.unresolved
        if end.promised:
            promised += 1
            promised_fen += end.intent.amount_fen
    return Share(
        promised=promised,
        kept=counts["kept"],
        broken=counts["broken"] + counts["broken_late"],
        late=counts["broken_late"],
        promised_fen=promised_fen,
        kept_fen=fen["kept"],
        broken_fen=fen["broken"] + fen["broken_late"],
        withheld=counts["withheld"] + counts["granted_anyway"],
        withheld_fen=fen["withheld"] + fen["granted_anyway"],
        granted_anyway=counts["granted_anyway"],
        granted_anyway_fen=fen["granted_anyway"],
        rightly_refused=counts["rightly_refused"],
        wrongly_approved=counts["wrongly_approved"],
        unresolved=unresolved,
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _broken_by(broken: Sequence[IntentEnd]) -> tuple[Broken, ...]:
    """The worst first."""
    draws: Counter[tuple[str, str]] = Counter()
    fen: Counter[tuple[str, str]] = Counter()
    for end in broken:
        key = (str(end.cause), str(end.hop))
        draws[key] += 1
        fen[key] += end.intent.amount_fen
    ordered = sorted(draws, key=lambda key: (-draws[key], key))
    return tuple(Broken(cause, hop, draws[cause, hop], fen[cause, hop]) for cause, hop in ordered)


def interval95(view: RunView, ends: Sequence[IntentEnd]) -> tuple[float, float] | None:
    """The 95 % interval of the guarantee within this run: failures come in clumps, so whole seconds
    are resampled, not draws; seeded by the scenario, rounded down to 4 digits.

    Over promised draws of the whole drill. Null when none was promised.
    """
    blocks: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for end in ends:
        if end.promised:
            block = blocks[(end.intent.due_ns - view.t0_ns) // (BLOCK_S * NS_PER_S)]
            block[0] += 1
            block[1] += end.end == "kept"
    if not blocks:
        return None
    dice = stream(view.scenario.seed, "interval95")
    ordered = [blocks[second] for second in sorted(blocks)]
    shares = []
    for _ in range(RESAMPLES):
        drawn = dice.choices(ordered, k=len(ordered))
        shares.append(sum(kept for _, kept in drawn) / sum(promised for promised, _ in drawn))
    shares.sort()
    low, high = shares[int(0.025 * RESAMPLES)], shares[int(0.975 * RESAMPLES) - 1]
    return math.floor(low * 1e4) / 1e4, math.floor(high * 1e4) / 1e4


def _per_second(
    view: RunView, ends: Sequence[IntentEnd]
) -> tuple[tuple[int, int, int, dict[str, int]], ...]:
    seconds = range(math.ceil(view.scenario.phases.load_s))
    offered, kept = Counter[int](), Counter[int]()
    broken: dict[int, Counter[str]] = defaultdict(Counter)
    for end in ends:
        second = (end.intent.due_ns - view.t0_ns) // NS_PER_S
        offered[second] += end.promised
        kept[second] += end.end == "kept"
        if end.broken:
            broken[second][str(end.cause)] += 1
    return tuple((s, offered[s], kept[s], dict(sorted(broken[s].items()))) for s in seconds)
