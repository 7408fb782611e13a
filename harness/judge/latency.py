"""Latency: from the due time to the known grant, over promised intents.

One never granted counts as infinite. A quantile that falls on an infinite one is infinite too, and
shown as `> deadline`; one with fewer than ten intents beyond it is null.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_MS
from harness.evidence.columnar import Columns
from harness.judge.ends import OF_PHASE, Ends, IntentEnd
from harness.judge.view import RunView

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
BEYOND_MIN = 10


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """ms; `math.inf` for a quantile beyond the deadline, None where there is too little data.

    intervals: the 95 % interval of each quantile by rank. granted_p95: over granted intents only,
    for comparison; never gated.
    """

    quantiles: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None]
    count: int
    censored: int
    granted_p95: float | None


# In order; those never known to be granted come last.
SINCE_DUE = """
SELECT coalesce((granted_ns - due_ns)::DOUBLE / 1000000, 'infinity'::DOUBLE) AS ms
FROM ends WHERE promised AND {where} ORDER BY ms
"""


def latency(view: RunView, ends: Sequence[IntentEnd]) -> dict[str, LatencySummary]:
    """Due time → known grant, quantiles in ms by phase, each with its interval by rank.

    Over promised draws of the phase; one never known to be granted counts as infinite. Null where
    fewer than ten draws lie beyond the quantile.
    """
    return {phase: in_order(latencies_ms(view, ends, phase)) for phase in OF_PHASE}


def latencies_ms(view: RunView, ends: Sequence[IntentEnd], phase: str) -> Sequence[float]:
    """One value a promised intent of the phase, in order; infinite for those never known to be
    granted."""
    question = SINCE_DUE.format(where=OF_PHASE[phase])
    return Columns[object](view.books.table(question, ends=Ends.of(ends))).numbers("ms")


def since_due_ms(due_ns: Iterable[int], granted_ns: Iterable[int | None]) -> list[float]:
    """One value a pair, infinite where there is no grant."""
    return [
        math.inf if known_ns is None else (known_ns - at_ns) / NS_PER_MS
        for at_ns, known_ns in zip(due_ns, granted_ns, strict=True)
    ]


def summary(values_ms: Sequence[float]) -> LatencySummary:
    """Quantiles of one set of latencies."""
    return in_order(sorted(values_ms))


def in_order(ordered: Sequence[float]) -> LatencySummary:
    """The same of latencies that rise."""
    granted = ordered[: bisect_left(ordered, math.inf)]
    return LatencySummary(
        quantiles={name: quantile(ordered, share) for name, share in QUANTILES.items()},
        intervals={name: rank_interval(ordered, share) for name, share in QUANTILES.items()},
        count=len(ordered),
        censored=len(ordered) - len(granted),
        granted_p95=quantile(granted, 0.95),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed."""
    if len(ordered) * (1 - share) < BEYOND_MIN - 1e-9:
        return None
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def rank_interval(ordered: Sequence[float], share: float) -> tuple[float, float] | None:
    """Where the quantile may lie, by the normal approximation of its rank."""
    if quantile(ordered, share) is None:
        return None
    count = len(ordered)
    spread = 1.96 * math.sqrt(count * share * (1 - share))
    low = max(0, math.floor(count * share - spread) - 1)
    high = min(count - 1, math.ceil(count * share + spread) - 1)
    return ordered[low], ordered[high]
