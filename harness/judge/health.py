"""Was the generator well enough to be believed?

The bounds and their reasons are one table, harness/scenario/generator_limits.py. A second is bad
when a worker was beyond one of them in it, dropped a draw, or has no row for it: what broke in it
is shown with hop `machine`. Too many bad seconds, a dropped draw or a clock that is not known well
enough make the run inconclusive.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import MACHINE, MISTAKE, Second
from harness.judge.clocks import WorkerClock, clock_error_ns, worker_clocks
from harness.judge.disk import disk_health
from harness.judge.view import RunView
from harness.scenario.generator_limits import (
    BAD_SECONDS,
    CLOCK,
    SECOND_LIMITS,
    Limit,
    bound,
    loosened,
    shown,
)

# The value of a second that each limit is about, in seconds or a share.
# How the doubt begins that is nobody's doing but the generator's or its machine's.
UNWELL = "the generator or its machine was not well"
VALUES: Mapping[str, Callable[[Second], float]] = {
    "late": lambda row: row.late_ns_max / NS_PER_S,
    "lag": lambda row: row.lag_ns_max / NS_PER_S,
    "connect": lambda row: (row.connect_ns_max or 0) / NS_PER_S,
    "gc": lambda row: row.gc_ns / NS_PER_S,
    "pressure": lambda row: row.psi_share or 0.0,
    "steal": lambda row: row.steal_share or 0.0,
}

SENT_LATE = """
SELECT DISTINCT floor((scheduled_ns - $t0_ns) / 1e9)::BIGINT FROM attempts
WHERE sent_ns - scheduled_ns > $most_ns AND kind <> 'look'
"""
SENDING = """
SELECT count(*) FILTER (kind = 'press'),
    count(*) FILTER (kind = 'press' AND outcome = 'dropped'),
    count(*) FILTER (outcome = 'failed' AND hop = $machine AND status = 0),
    count(*) FILTER (starts_with(reason, $mistake)),
    count(*) FILTER (sent_ns < scheduled_ns - 1000000 OR done_ns < sent_ns
        OR first_byte_ns < sent_ns OR done_ns < first_byte_ns)
FROM attempts
"""
# By the plan the first press of a draw is due when the draw is.
ELSEWHEN = """
SELECT count(*) FROM attempts a JOIN intents i USING (intent)
WHERE a.kind = 'press' AND a.n = 1 AND abs(a.scheduled_ns - i.due_ns) > $near_ns
"""
NEVER_SENT = """
SELECT count(*) FROM intents i
WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE a.intent = i.intent AND a.kind = 'press')
"""


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """ms over baseline and fault; verdict held | inconclusive, with the reason.

    loosened: bounds that the scenario made looser than is sound. clocks: empty in older runs.
    """

    late_ms_p99: float | None
    receive_lag_ms_p99: float | None
    connect_ms_p99: float | None
    disk_ms_max: float | None
    dropped: int
    workers: int
    bad_seconds: int
    clocks: tuple[WorkerClock, ...]
    loosened: tuple[str, ...]
    verdict: str
    reason: str


def health_json(health: GeneratorHealth) -> dict[str, Any]:
    """The part `generator` of verdict.json."""
    return {
        "late_ms_p99": health.late_ms_p99,
        "receive_lag_ms_p99": health.receive_lag_ms_p99,
        "connect_ms_p99": health.connect_ms_p99,
        "disk_ms_max": health.disk_ms_max,
        "dropped": health.dropped,
        "workers": health.workers,
        "bad_seconds": health.bad_seconds,
        "clocks": [
            {
                "worker": one.worker,
                "offset_ms": round(one.offset_ns / NS_PER_MS, 3),
                "uncertainty_ms": round(one.error_ns / NS_PER_MS, 3),
            }
            for one in health.clocks
        ],
        "loosened": list(health.loosened),
        "verdict": health.verdict,
    }


def workers_of(view: RunView) -> int:
    """How many should have a row for each second."""
    if view.manifest is not None:
        return len(view.manifest.shares)
    return len({row.worker for row in view.generator})


def bad_seconds(view: RunView) -> frozenset[int]:
    """Seconds from t = 0 in which the generator can't be believed."""
    there: dict[int, set[str]] = defaultdict(set)
    worse: set[int] = set()
    for row, beyond in zip(view.generator, _beyond(view, view.generator), strict=True):
        there[row.second].add(row.worker)
        if row.dropped or beyond:
            worse.add(row.second)
    workers, late = workers_of(view), _due_and_late(view)
    seconds = range(math.ceil(view.scenario.phases.load_s))
    return disk_health(view, seconds).bad | frozenset(
        second
        for second in seconds
        if len(there[second]) < workers or workers == 0 or second in late or second in worse
    )


def busy_seconds(view: RunView) -> frozenset[int]:
    """Seconds after the baseline in which a CPU was waited for longer than a baseline may. They are
    not bad, for it may be the lender's own doing; but how long an answer took is the machine's
    doing as well."""
    pressure = next(limit for limit in SECOND_LIMITS if limit.key == "pressure")
    most = bound(pressure, dict(view.scenario.load.generator))
    calm_s = view.scenario.phases.start_s("fault")
    value = VALUES[pressure.key]
    return frozenset(
        row.second for row in view.generator if row.second >= calm_s and value(row) > most
    )


def _due_and_late(view: RunView) -> set[int]:
    """Seconds in which something was due that was sent too late, by the attempts themselves: a row
    of `generator` counts what has ended in its second, which may be another one."""
    late = next(limit for limit in SECOND_LIMITS if limit.key == "late")
    most_ns = bound(late, dict(view.scenario.load.generator)) * NS_PER_S
    return {row[0] for row in view.books.ask(SENT_LATE, {"t0_ns": view.t0_ns, "most_ns": most_ns})}


def _beyond(view: RunView, rows: Sequence[Second]) -> list[list[Limit]]:
    """The limits that each of these seconds broke."""
    chosen = dict(view.scenario.load.generator)
    phases = view.scenario.phases
    calm = range(int(phases.start_s("baseline")), int(phases.start_s("fault")))
    bounds = [(limit, VALUES[limit.key], bound(limit, chosen)) for limit in SECOND_LIMITS]
    return [
        [
            limit
            for limit, value, most in bounds
            if value(row) > most and (not limit.calm or row.second in calm)
        ]
        for row in rows
    ]


def judged_seconds(view: RunView) -> range:
    """Seconds of baseline and fault; of the watch too where something is expected of it. None after
    the end of a load that was stopped."""
    phases = view.scenario.phases
    watched = any(
        one.phase == "watch" or one.measure in ("recover_s", "rto_s")
        for one in view.scenario.expect
    )
    end_s = phases.load_s if watched else phases.start_s("watch")
    if view.load_end_ns is not None:  # of a run that was stopped there is no more
        end_s = min(end_s, (view.load_end_ns - view.t0_ns) / NS_PER_S)
    return range(int(phases.start_s("baseline")), math.ceil(end_s))


def generator_health(view: RunView) -> GeneratorHealth:
    """The generator's own verdict."""
    judged = judged_seconds(view)
    rows = [row for row in view.generator if row.second in judged]
    clocks = worker_clocks(view)
    reasons = [
        *_about_sending(view),
        *_about_seconds(view, rows),
        *_about_clocks(view, clocks),
    ]
    return GeneratorHealth(
        late_ms_p99=_worst_ms([row.late_ns_p99 for row in rows]),
        receive_lag_ms_p99=_worst_ms([row.lag_ns_max for row in rows]),
        connect_ms_p99=_worst_ms(
            [row.connect_ns_p99 for row in rows if row.connect_ns_p99 is not None]
        ),
        disk_ms_max=disk_health(view, judged).worst_ms,
        dropped=sum(row.dropped for row in view.generator),
        workers=len({row.worker for row in view.generator}),
        bad_seconds=len(bad_seconds(view) & set(judged)),
        clocks=clocks,
        loosened=tuple(loosened(dict(view.scenario.load.generator))),
        verdict="inconclusive" if reasons else "held",
        reason="; ".join(reasons),
    )


def _about_sending(view: RunView) -> list[str]:
    """Was everything sent that had to be, and understood?"""
    pressed, dropped, ours, mistakes, backwards = view.books.one(
        SENDING, {"machine": MACHINE, "mistake": MISTAKE}
    )
    (never,) = view.books.one(NEVER_SENT)
    (elsewhen,) = view.books.one(ELSEWHEN, {"near_ns": NS_PER_MS + clock_error_ns(view)})
    whole = view.manifest is None or view.manifest.complete
    found = []
    if not pressed:
        found.append("nothing was sent")
    elif never and whole:
        found.append(f"{never} scheduled draws were never sent")
    if ours:
        found.append(f"{ours} requests were not made: the generator had no descriptor or port left")
    if dropped:
        found.append(f"{dropped} draws were dropped: as many were in flight as a worker may have")
    if elsewhen:
        found.append(f"{elsewhen} draws were pressed for another moment than they were due at")
    if backwards:
        found.append(
            f"{backwards} requests were answered before they were sent, by their own dates"
        )
    if mistakes:
        found.append(f"{mistakes} requests were refused as malformed: a mistake of the harness")
    return found


def _about_seconds(view: RunView, rows: list[Second]) -> list[str]:
    """Too many bad seconds of baseline and fault: which bounds were broken, and by how much."""
    chosen, judged = dict(view.scenario.load.generator), judged_seconds(view)
    bad = bad_seconds(view) & set(judged)
    if len(bad) <= bound(BAD_SECONDS, chosen) * len(judged):
        return []
    broken: dict[Limit, float] = {}
    for row, beyond in zip(rows, _beyond(view, rows), strict=True):
        for limit in beyond:
            broken[limit] = max(broken.get(limit, 0.0), VALUES[limit.key](row))
    words = [
        f"{limit.what} {shown(limit, broken[limit])}, at most {shown(limit, bound(limit, chosen))}"
        for limit in SECOND_LIMITS
        if limit in broken
    ]
    words += disk_health(view, judged).words()
    there = Counter(second for second, _ in {(row.second, row.worker) for row in rows})
    absent = sum(there[second] < workers_of(view) for second in judged)
    late = len(_due_and_late(view) & set(judged))
    words += [f"draws that were due in {late} of them were sent late"] if late else []
    words += [f"a worker has no row for {absent} of them"] if absent else []
    return [
        f"{UNWELL} in {len(bad)} of {len(judged)} seconds"
        f" that are judged (at worst: {'; '.join(words)})"
    ]


def _about_clocks(view: RunView, clocks: tuple[WorkerClock, ...]) -> list[str]:
    """Is each worker's clock known, and well enough?"""
    most = bound(CLOCK, dict(view.scenario.load.generator))
    found = [
        f"the clock of {one.worker} is known to {one.error_ns / NS_PER_MS:.1f} ms only,"
        f" at most {shown(CLOCK, most)}: what came first on which machine is not known"
        for one in clocks
        if one.error_ns > most * NS_PER_S
    ]
    if view.manifest is not None and view.manifest.complete:
        compared = {one.worker for one in clocks}
        found += [
            f"the clock of {share.worker} was never compared"
            for share in view.manifest.shares
            if share.worker not in compared
        ]
    return found


def _worst_ms(values_ns: list[int]) -> float | None:
    """The 99th percentile of the seconds' values, which of fewer than 100 is the worst."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    return round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] / NS_PER_MS, 3)
