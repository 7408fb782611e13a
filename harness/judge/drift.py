"""Was the baseline steady? A trend in it before any fault makes every comparison with it a guess.

Mann and Kendall's rank test, two-sided, over the values of the baseline's seconds (or of as many
seconds together as make at most BLOCKS_MAX values): S is how many later values are above earlier
ones, less how many are below; its variance counts ties, and the normal approximation with
continuity correction is good from eight values on (Kendall 1975). It needs no distribution, and
one odd second moves it little.

A trend that is significant at NOTE_P is a note: one of twenty steady baselines has one. It casts
doubt on the run only when it is significant at DOUBT_P *and* as large as what verdicts turn on,
which by chance alone is rarer than one of a hundred. Seconds that hang together have more notes
(a correlation of 0.2 between neighbours: one of eleven); the size keeps doubts as rare.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.ends import OF_PHASE, Ends, IntentEnd
from harness.judge.view import RunView

NOTE_P = 0.05
DOUBT_P = 0.01
VALUES_MIN = 8
BLOCKS_MAX = 120
# Large: the two points that the rule of recovery allows; half as much again, and more than what a
# busy machine's scheduling does to a median.
LARGE_POINTS = 0.02
LARGE_TIMES, LARGE_MS = 1.5, 10.0
NEVER_NS = 2**62


BASELINE = """
SELECT (due_ns - $from_ns) // $block_ns AS block, count(*), count(*) FILTER ("end" = 'kept'),
    list_sort(list(coalesce(granted_ns - due_ns, $never_ns)))[(count(*) - 1) // 2 + 1]
FROM ends WHERE promised AND {where} GROUP BY block ORDER BY block
"""


@dataclass(frozen=True, slots=True)
class Trend:
    """p_value: of a trend as strong by chance. first, last: the mean of the first and of the last
    third of the values: a share, or ms. verdict: steady | note | doubt."""

    values: int
    p_value: float
    first: float
    last: float
    verdict: Literal["steady", "note", "doubt"]


@dataclass(frozen=True, slots=True)
class Drift:
    """None: too few seconds of the baseline have promised draws."""

    guarantee: Trend | None
    latency_p50: Trend | None


def drift(view: RunView, ends: Sequence[IntentEnd]) -> Drift:
    """Two-sided rank trend test of the baseline's seconds: kept ÷ promised, and the median latency
    in ms, where one beyond the deadline counts as the deadline.

    Over promised draws due in the baseline, straddlers left out. Null with fewer than eight values.
    """
    shares, medians = _of_blocks(view, ends)
    return Drift(
        trend(shares, lambda first, last: abs(last - first) >= LARGE_POINTS),
        trend(medians, _slower),
    )


def _slower(first_ms: float, last_ms: float) -> bool:
    low_ms, high_ms = sorted((first_ms, last_ms))
    return high_ms - low_ms >= LARGE_MS and high_ms >= LARGE_TIMES * low_ms


def _of_blocks(view: RunView, ends: Sequence[IntentEnd]) -> tuple[list[float], list[float]]:
    """Of the promised intents of the baseline, by the time they fell due: the share kept, and the
    median latency in ms. Blocks without any are left out."""
    phases = view.scenario.phases
    seconds = math.ceil(phases.end_s("baseline") - phases.start_s("baseline"))
    at = {
        "from_ns": view.t0_ns + int(phases.start_s("baseline") * NS_PER_S),
        "block_ns": math.ceil(seconds / BLOCKS_MAX) * NS_PER_S,
        "never_ns": NEVER_NS,
    }
    deadline_ms = view.scenario.load.patience.deadline_s * 1000
    question = BASELINE.format(where=OF_PHASE["baseline"])
    rows = view.books.ask(question, at, ends=Ends.of(ends))
    return (
        [kept / count for _, count, kept, _ in rows],
        [min(deadline_ms, median_ns / NS_PER_MS) for _, _, _, median_ns in rows],
    )


def trend(values: Sequence[float], large: Callable[[float, float], bool]) -> Trend | None:
    """What there is to say of values in the order of time; None of fewer than VALUES_MIN."""
    if len(values) < VALUES_MIN:
        return None
    third = len(values) // 3
    first, last = _mean(values[:third]), _mean(values[-third:])
    p_value = mann_kendall(values)
    verdict: Literal["steady", "note", "doubt"] = "steady"
    if p_value < NOTE_P:
        verdict = "doubt" if p_value < DOUBT_P and large(first, last) else "note"
    return Trend(len(values), round(p_value, 4), round(first, 4), round(last, 4), verdict)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def mann_kendall(values: Sequence[float]) -> float:
    """The two-sided p-value of the trend; 1 when all values are the same."""
    count = len(values)
    score = sum(
        (values[later] > values[sooner]) - (values[later] < values[sooner])
        for sooner in range(count)
        for later in range(sooner + 1, count)
    )
    ties = sum(times * (times - 1) * (2 * times + 5) for times in Counter(values).values())
    variance = (count * (count - 1) * (2 * count + 5) - ties) / 18
    if not score or variance <= 0:
        return 1.0
    deviations = (abs(score) - 1) / math.sqrt(variance)
    return math.erfc(deviations / math.sqrt(2))
