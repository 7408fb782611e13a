"""Recovered: the first moment after the last heal from which the promise is kept as before.

On a grid of 0.25 s: of the promised intents due in [t, t + 5 s) a share within 2 points of the
baseline's is kept, their p90 is at most the larger of twice the baseline's and a tenth of
attempt_timeout, and it stays so to the end of the watch.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from harness.clock import NS_PER_S
from harness.judge.ends import IntentEnd
from harness.judge.exposed import exposed_s
from harness.judge.guarantee import of_phase, share_of
from harness.judge.latency import latencies_ms
from harness.judge.view import FaultLine, RunView

GRID_NS = NS_PER_S // 4
WINDOW_NS = 5 * NS_PER_S
POINTS = 0.02


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds. recover_s from the last observed heal, rto_s from the first observed bite (one
    fault only); None with `stuck`: not reached; None without: no data to tell by."""

    recover_s: float | None
    rto_s: float | None
    stuck: bool
    detect_s: float | None = None
    rpo_draws: int = 0
    exposed_s: float | None = None


def recovery(
    view: RunView, ends: Sequence[IntentEnd], bad: Collection[int] = frozenset()
) -> Recovery:
    """By the rule above. `rpo_draws`: acknowledged draws that the ledger does not have;
    `exposed_s`: how long one more failure, of a disk, could have taken some. bad: seconds from
    t = 0 in which the generator was not well; windows with one of them say neither yes nor no."""
    done_ns = (at_ns for at_ns in view.attempts.column("done_ns") if at_ns is not None)
    last_ns = view.drain_end_ns or view.load_end_ns or max(done_ns, default=view.t0_ns)
    exposed = exposed_s(view.states, view.t0_ns, last_ns)
    return replace(_by_the_rule(view, ends, bad), exposed_s=exposed)


def _by_the_rule(view: RunView, ends: Sequence[IntentEnd], bad: Collection[int]) -> Recovery:
    lost = sum(end.granted_ns is not None and end.paid_ns is None for end in ends)
    healed = [healed_ns(fault) for fault in view.faults]
    bites = [fault.observed_ns for fault in view.faults if fault.observed_ns is not None]
    known = [at_ns for at_ns in healed if at_ns is not None]
    if not known or len(known) < len(healed) or len(bites) < len(healed):
        # A remedy that the target owed and that was never seen: it has not recovered.
        owed = any(
            fault.healer == "target" and fault.observed_ns and fault.heal_observed_ns is None
            for fault in view.faults
        )
        return Recovery(None, None, stuck=owed, rpo_draws=lost)
    from_heal = _first_good_ns(view, ends, max(known), bad)
    if from_heal is None:
        enough = bool(_starts_ns(view, max(known), bad))
        return Recovery(None, None, stuck=enough, rpo_draws=lost)
    recover_s = (from_heal - max(known)) / NS_PER_S
    rto_s = None
    if len(view.faults) == 1:
        from_bite = _first_good_ns(view, ends, min(bites), bad)
        rto_s = None if from_bite is None else (from_bite - min(bites)) / NS_PER_S
    return Recovery(recover_s, rto_s, stuck=False, rpo_draws=lost)


def healed_ns(fault: FaultLine) -> int | None:
    """When a fault was seen healed; for one without a heal its bite counts."""
    return fault.observed_ns if fault.healer == "nobody" else fault.heal_observed_ns


def _starts_ns(view: RunView, from_ns: int, bad: Collection[int]) -> Sequence[int]:
    """The starts of windows that fit before load ends, on the grid, without those that have a bad
    second."""
    last_ns = view.t0_ns + int(view.scenario.phases.load_s * NS_PER_S) - WINDOW_NS
    return [
        at_ns
        for at_ns in range(from_ns, last_ns + 1, GRID_NS)
        if not any(
            second in bad
            for second in range(
                (at_ns - view.t0_ns) // NS_PER_S,
                (at_ns + WINDOW_NS - 1 - view.t0_ns) // NS_PER_S + 1,
            )
        )
    ]


def _first_good_ns(
    view: RunView, ends: Sequence[IntentEnd], from_ns: int, bad: Collection[int]
) -> int | None:
    """The first grid point from which every window to the end of the watch is good."""
    baseline = of_phase(ends, "baseline")
    share = share_of(baseline).count
    usual_ms = p90(latencies_ms(baseline))
    if share is None or usual_ms is None:
        return None
    timeout_ms = view.scenario.load.patience.attempt_timeout_s * 1000
    limit_ms = max(2 * usual_ms, timeout_ms / 10)
    promised = sorted((e for e in ends if e.promised), key=lambda end: end.intent.due_ns)
    first: int | None = None
    for at_ns in _starts_ns(view, from_ns, bad):
        window = [e for e in promised if at_ns <= e.intent.due_ns < at_ns + WINDOW_NS]
        if not good(window, share, limit_ms):
            first = None
        elif first is None:
            first = at_ns
    return first


def good(window: Sequence[IntentEnd], share: float, limit_ms: float) -> bool:
    """Is one window as good as the baseline? An empty one proves nothing."""
    kept = share_of(window).count
    slow_ms = p90(latencies_ms(window))
    return (
        kept is not None
        and slow_ms is not None
        and (kept >= share - POINTS and slow_ms <= limit_ms)
    )


def p90(values_ms: Sequence[float]) -> float | None:
    """The nearest-rank p90 of whatever there is; None of nothing."""
    ordered = sorted(values_ms)
    return ordered[math.ceil(0.9 * len(ordered)) - 1] if ordered else None
