"""Was the generator well enough to be believed?

A second is bad when the generator itself was late in it: something was sent more than 200 ms after
it should have been, or a heartbeat overslept by as much, or an intent was dropped, or a worker has
no row for it. A borrower can't tell 200 ms of ours from the lender's; the p95 expected of a healthy
baseline is of that order.

A second of the baseline is bad, too, when some task waited for a CPU during most of it (70 %):
nothing has been broken yet, and the lender's capacity is set to use at most half of the machine (a
quiet run shows about a tenth), so somebody else was using it, and what that does to the lender is
not the lender's. Later the lender's own overload may well cause such waiting.

More than one bad second in twenty of baseline and fault makes the run inconclusive. One alone is a
hiccup of the machine: what broke in it is not held against the lender (hop `machine`).
"""

from collections import defaultdict
from dataclasses import dataclass

from harness.clock import NS_PER_MS
from harness.evidence.rows import MISTAKE, Second
from harness.judge.view import RunView

LATE_NS_MAX = 200 * NS_PER_MS
PRESSURE_MAX = 0.7
BAD_SHARE_MAX = 0.05


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """ms over baseline and fault; verdict held | inconclusive, with the reason."""

    late_ms_p99: float | None
    receive_lag_ms_p99: float | None
    dropped: int
    workers: int
    bad_seconds: int
    verdict: str
    reason: str


def bad_seconds(view: RunView) -> frozenset[int]:
    """Seconds from t = 0 in which the generator can't be believed."""
    rows: dict[int, list[Second]] = defaultdict(list)
    for row in view.generator:
        rows[row.second].append(row)
    workers = len({row.worker for row in view.generator})
    phases = view.scenario.phases
    baseline = range(int(phases.start_s("baseline")), int(phases.start_s("fault")))
    return frozenset(
        second
        for second in range(int(view.scenario.phases.load_s))
        if len({row.worker for row in rows[second]}) < workers
        or workers == 0
        or any(_bad(row, calm=second in baseline) for row in rows[second])
    )


def _bad(row: Second, *, calm: bool) -> bool:
    late_ns = max(row.late_ns_max, row.lag_ns_max)
    crowded = calm and (row.psi_share or 0.0) > PRESSURE_MAX
    return late_ns > LATE_NS_MAX or row.dropped > 0 or crowded


def judged_seconds(view: RunView) -> range:
    """Seconds of baseline and fault."""
    phases = view.scenario.phases
    return range(int(phases.start_s("baseline")), int(phases.start_s("watch")))


def generator_health(view: RunView) -> GeneratorHealth:
    """The generator's own verdict."""
    judged = judged_seconds(view)
    rows = [row for row in view.generator if row.second in judged]
    bad = sorted(bad_seconds(view) & set(judged))
    mistakes = sum((a.reason or "").startswith(MISTAKE) for a in view.attempts)
    pressed = {a.intent for a in view.attempts if a.kind == "press"}
    never = [i for i in view.intents if i.intent not in pressed]
    reasons = []
    if not pressed:
        reasons.append("nothing was sent")
    elif never:
        reasons.append(f"{len(never)} scheduled draws were never sent")
    if len(bad) > BAD_SHARE_MAX * len(judged):
        worst_ns = max((max(row.late_ns_max, row.lag_ns_max) for row in rows), default=0)
        waited = max((row.psi_share or 0.0 for row in rows), default=0.0)
        reasons.append(
            f"the generator or its machine was not well in {len(bad)} of {len(judged)} seconds of"
            f" baseline and fault (worst lateness {worst_ns / NS_PER_MS:.0f} ms, waiting for a CPU"
            f" {waited:.0%} of a second)"
        )
    if mistakes:
        reasons.append(f"{mistakes} requests were refused as malformed: a mistake of the harness")
    return GeneratorHealth(
        late_ms_p99=_worst_ms([row.late_ns_p99 for row in rows]),
        receive_lag_ms_p99=_worst_ms([row.lag_ns_max for row in rows]),
        dropped=sum(row.dropped for row in view.generator),
        workers=len({row.worker for row in view.generator}),
        bad_seconds=len(bad),
        verdict="inconclusive" if reasons else "held",
        reason="; ".join(reasons),
    )


def _worst_ms(values_ns: list[int]) -> float | None:
    """The 99th percentile of the seconds' values, which of fewer than 100 is the worst."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    return round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] / NS_PER_MS, 3)
