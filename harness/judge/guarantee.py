"""guarantee = kept ÷ promised, access = granted in time and lawfully ÷ (promised or withheld).

By count and by money, by phase, cause, hop and fault, and by second for the report.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.evidence.rows import is_of_phase
from harness.judge.ends import BROKEN, OF_PHASE, Ends, IntentEnd
from harness.judge.view import RunView
from harness.scenario.model import CAUSES
from harness.seeds import stream

RESAMPLES = 400
# Of a long drill as many seconds together as make at most so many blocks.
BLOCKS_MAX = 600
Second = tuple[int, int, int, dict[str, int]]


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
    cause) by due time, over promised intents. avoidable, unfunded: of the broken; None where it is
    not known."""

    total: Share
    by_phase: dict[str, Share]
    by_cause: dict[str, int]
    by_hop: dict[str, int]
    by_fault: dict[str, int]
    broken_by: tuple[Broken, ...]
    avoidable: int | None
    unfunded: int | None
    interval95: tuple[float, float] | None
    per_second: tuple[Second, ...]


# Everything that is counted of intents: few rows, whatever their number.
COUNTED = """
SELECT {by}"end", promised, cause, hop, count(*), sum(amount_fen)::BIGINT,
    sum(unresolved::INT)::BIGINT, count(*) FILTER (avoidable),
    count(*) FILTER (lawful AND NOT avoidable), count(*) FILTER (avoidable IS NULL)
FROM {of} WHERE {where} GROUP BY ALL ORDER BY ALL
"""

TOUCHED = """
SELECT fault, count(*) FROM (
    SELECT unnest(exposed_to) AS fault FROM ends WHERE "end" IN ('broken', 'broken_late')
) GROUP BY fault
"""

SECONDS = """
SELECT floor((due_ns - $t0_ns) / 1e9)::BIGINT AS second, cause, sum(promised::INT)::BIGINT,
    sum(("end" = 'kept')::INT)::BIGINT, sum(("end" IN ('broken', 'broken_late'))::INT)::BIGINT,
    sum((promised AND "end" = 'kept')::INT)::BIGINT
FROM ends GROUP BY ALL ORDER BY ALL
"""


class Group(NamedTuple):
    """Intents that are counted alike: how many, their money, and what else is counted of them."""

    end: str
    promised: bool
    cause: str | None
    hop: str | None
    times: int
    fen: int
    unresolved: int
    avoidable: int
    unfunded: int
    unjudged: int


def guarantee(view: RunView, ends: Sequence[IntentEnd]) -> Guarantee:
    """Broken draws by phase, by their one cause, by the one hop where it first went wrong, and by
    the faults that touched them, which may be several.

    Over promised draws of the whole drill. Straddling draws count in the totals and in the fault
    phase; warmup in the totals alone.
    """
    whole = Ends.of(ends)
    phases = _by_phase(view, whole)
    groups = [group for mine in phases.values() for group in mine]
    broken = [group for group in groups if group.end in BROKEN]
    by_fault = dict(view.books.ask(TOUCHED, ends=whole))
    causes, hops = Counter[str](), Counter[str]()
    for group in broken:
        causes[str(group.cause)] += group.times
        hops[str(group.hop)] += group.times
    seconds = view.books.ask(SECONDS, {"t0_ns": view.t0_ns}, ends=whole)
    return Guarantee(
        total=share_of(groups),
        by_phase={
            phase: share_of(
                group
                for (mine, straddling), found in phases.items()
                if is_of_phase(mine, phase, straddling=straddling)
                for group in found
            )
            for phase in OF_PHASE
        },
        by_cause={cause: causes[cause] for cause in CAUSES},
        by_hop=dict(sorted(hops.items())),
        by_fault={fault.name: by_fault.get(fault.name, 0) for fault in view.faults},
        broken_by=_broken_by(broken),
        avoidable=avoidable(broken),
        unfunded=unfunded(broken),
        interval95=interval95(view, seconds),
        per_second=_per_second(view, seconds),
    )


def avoidable(broken: Iterable[Group]) -> int | None:
    """Broken draws that could have been kept: some lawful split of the tiers covered them, and the
    law had not changed.

    Over broken draws. Null when the tiers' money is not known and a lawful one was broken.
    """
    found = [(group.avoidable, group.unjudged) for group in broken]
    return None if any(unjudged for _, unjudged in found) else sum(one for one, _ in found)


def unfunded(broken: Iterable[Group]) -> int | None:
    """Broken draws that were lawful, and that no lawful split of any tiers covered.

    Over broken draws. Null when the tiers' money is not known and a lawful one was broken.
    """
    found = [(group.unfunded, group.unjudged) for group in broken]
    return None if any(unjudged for _, unjudged in found) else sum(one for one, _ in found)


def _by_phase(view: RunView, ends: Ends) -> Mapping[tuple[str, bool], Sequence[Group]]:
    """By the phase that an intent was due in, and whether it straddles the first bite."""
    found: dict[tuple[str, bool], list[Group]] = defaultdict(list)
    question = COUNTED.format(by="phase, straddling, ", of="ends", where="true")
    for phase, straddling, *row in view.books.ask(question, ends=ends):
        found[phase, straddling].append(Group(*row))
    return found


def share_of(groups: Iterable[Group]) -> Share:
    """All of them together."""
    counts: Counter[str] = Counter()
    fen: Counter[str] = Counter()
    promised = promised_fen = unresolved = 0
    for group in groups:
        counts[group.end] += group.times
        fen[group.end] += group.fen
        unresolved += group.unresolved
        if group.promised:
            promised += group.times
            promised_fen += group.fen
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


def _broken_by(broken: Sequence[Group]) -> tuple[Broken, ...]:
    """The worst first."""
    draws: Counter[tuple[str, str]] = Counter()
    fen: Counter[tuple[str, str]] = Counter()
    for group in broken:
        key = (str(group.cause), str(group.hop))
        draws[key] += group.times
        fen[key] += group.fen
    ordered = sorted(draws, key=lambda key: (-draws[key], key))
    return tuple(Broken(cause, hop, draws[cause, hop], fen[cause, hop]) for cause, hop in ordered)


Seconds = Sequence[tuple[int, str | None, int, int, int, int]]


def interval95(view: RunView, seconds: Seconds) -> tuple[float, float] | None:
    """The 95 % interval of the guarantee within this run: failures come in clumps, so whole seconds
    are resampled, not draws (of more than ten minutes several together); seeded by the scenario,
    rounded down to 4 digits.

    Over promised draws of the whole drill. Null when none was promised.
    """
    blocks: dict[int, tuple[int, int]] = {}
    block_s = math.ceil(view.scenario.phases.load_s / BLOCKS_MAX)
    for second, _, promised, _, _, kept in seconds:
        before = blocks.get(second // block_s, (0, 0))
        blocks[second // block_s] = (before[0] + promised, before[1] + kept)
    ordered = [blocks[second] for second in sorted(blocks) if blocks[second][0]]
    if not ordered:
        return None
    dice = stream(view.scenario.seed, "interval95")
    shares = []
    for _ in range(RESAMPLES):
        promised, kept = map(sum, zip(*dice.choices(ordered, k=len(ordered)), strict=True))
        shares.append(kept / promised)
    shares.sort()
    low, high = shares[int(0.025 * RESAMPLES)], shares[int(0.975 * RESAMPLES) - 1]
    return math.floor(low * 1e4) / 1e4, math.floor(high * 1e4) / 1e4


def _per_second(view: RunView, seconds: Seconds) -> tuple[Second, ...]:
    offered, kept = Counter[int](), Counter[int]()
    broken: dict[int, Counter[str]] = defaultdict(Counter)
    for second, cause, promised, were_kept, were_broken, _ in seconds:
        offered[second] += promised
        kept[second] += were_kept
        if were_broken:
            broken[second][str(cause)] += were_broken
    return tuple(
        (second, offered[second], kept[second], dict(sorted(broken[second].items())))
        for second in range(math.ceil(view.scenario.phases.load_s))
    )
