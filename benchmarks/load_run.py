"""The one place that knows how a load is started without a lender, and how its evidence is read.

It is the drill's own way: a scenario is loaded and planned, the plan is written into a run
directory, and `Attack` starts Locust's master and workers under a guardian. Only the lender is
missing: the stub takes its place.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.drill import prepare
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import Attempt, Intent, Second
from harness.evidence.store import RunDir
from harness.evidence.tables import read_rows
from harness.guardian.client import Guardian, Proc
from harness.load.attack import Attack
from harness.plan import make_plan
from harness.processes import descendants
from harness.scenario.loader import load_scenario
from harness.target.probes import process_cpu_s

NS_PER_S = 1_000_000_000
ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "benchmarks" / "load.yaml"
PROCESS = "harness.load.locustfile"
TIMED = "benchmarks.load_timed"
LEAD_NS = NS_PER_S // 2
READY_S = 40.0
LATE_S = 30.0
# Phases before and after the baseline, which is the rest: the scenario's smallest.
OTHER_PHASES_S = 3.0
# A worker's connections are made in the first second; its CPU is counted from then on.
WARM_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment: CPU seconds used so far, bytes resident."""

    at_ns: int
    cpu_s: float
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for: `rate_per_s` Poisson arrivals for `seconds` (4 at least).

    timed: measure what recording takes of a worker's CPU (see load_timed.py).
    """

    rate_per_s: float
    seconds: float
    workers: int = 1
    seed: int = 20260410
    timed: bool = False
    sample_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it. `samples` by process: `master`, `worker-1`, ..

    t0_ns is t = 0; an intent's due_ns counts from it. `complete`: the evidence says of itself that
    nothing is missing and the load's processes ended well.
    """

    run: Path
    t0_ns: int
    end_ns: int
    intents: tuple[Intent, ...]
    attempts: tuple[Attempt, ...]
    seconds: tuple[Second, ...]
    samples: Mapping[str, tuple[Sample, ...]]
    complete: bool

    def late_ms(self) -> list[float]:
        """sent less due of each draw's first press."""
        return [
            ((a.sent_ns or 0) - a.scheduled_ns) / 1e6
            for a in self.attempts
            if a.kind == "press" and a.n == 1
        ]

    def answered(self) -> dict[int, tuple[int, int]]:
        """(due, answered) by intent, both on the clock; of draws that were granted."""
        due_ns = {intent.intent: self.t0_ns + intent.due_ns for intent in self.intents}
        return {
            a.intent: (due_ns[a.intent], a.done_ns)
            for a in self.attempts
            if a.outcome == "granted" and a.kind == "press" and a.done_ns is not None
        }

    def cpu(self, process: str) -> tuple[int, int, float]:
        """(from, to, CPU seconds) of a process while the load was on and warm."""
        first_ns = self.t0_ns + int(WARM_S * NS_PER_S)
        inside = [s for s in self.samples[process] if first_ns <= s.at_ns <= self.end_ns]
        return inside[0].at_ns, inside[-1].at_ns, inside[-1].cpu_s - inside[0].cpu_s

    def lag_ns(self, from_ns: int, to_ns: int) -> int:
        """The greatest receive lag that any worker reported for the seconds of a span."""
        first, last = ((at_ns - self.t0_ns) // NS_PER_S for at_ns in (from_ns, to_ns))
        return max((row.lag_ns_max for row in self.seconds if first <= row.second <= last),
                   default=0)  # fmt: skip


def run_load(folder: Path, url: str, load: Load) -> Loaded:
    """One load to its end, its run directory in `folder`. Raises SystemExit when it fails."""
    plan = make_plan(load_scenario(SCENARIO, overrides(load), None).scenario)
    run = prepare(plan, SCENARIO.read_text(), {}, folder)
    samples: dict[str, list[Sample]] = {}
    with Guardian.start(run.path) as guardian:
        starter: Any = _Timed(guardian) if load.timed else guardian
        attack = Attack(starter, run.path, plan.scenario, "token", LATE_S)
        attack.start()

        def ready() -> bool:
            for gone in guardian.exits():
                logs = (run.path / "load").glob(f"{gone.name.removeprefix('load-')}.*")
                words = "".join(log.read_text()[-2000:] for log in logs)
                raise SystemExit(f"{gone.name} ended at once: {words}")
            return attack.poll_ready()

        _wait(guardian, ready, READY_S, load.sample_s, samples)
        t0_ns = time.monotonic_ns() + LEAD_NS
        attack.fire(t0_ns, {"gateway-1": url})
        limit_s = load.seconds + 2 * LATE_S
        _wait(guardian, lambda: attack.progress().finished, limit_s, load.sample_s, samples)
        failure = attack.progress().failure
    attempts, missing, cut = read_rows(run.path, "attempts")
    seconds, _, _ = read_rows(run.path, "generator")
    return Loaded(
        run=run.path,
        t0_ns=t0_ns,
        end_ns=t0_ns + int(load.seconds * NS_PER_S),
        intents=plan.intents,
        attempts=tuple(attempts),
        seconds=tuple(seconds),
        samples={name: tuple(of) for name, of in samples.items()},
        complete=not missing and not cut and failure is None,
    )


def planned(load: Load) -> tuple[Intent, ...]:
    """The intents of a load, planned anew."""
    return make_plan(load_scenario(SCENARIO, overrides(load), None).scenario).intents


def overrides(load: Load) -> tuple[str, ...]:
    """How the scenario is changed for a load."""
    baseline_s = load.seconds - OTHER_PHASES_S
    people = int(load.rate_per_s * load.seconds * 1.25) + 1000
    return (
        f"load.shape.rate={load.rate_per_s:g}/s",
        f"load.workers={load.workers}",
        f"load.borrowers={people}",
        f"phases.baseline={baseline_s:g}s",
        f"seed={load.seed}",
    )


def attempts_writer(run: RunDir, worker: str) -> StreamWriter:
    """What a worker's attempts come to the disk by: `append` a row, `close` at the end."""
    return StreamWriter(run.stream_path("attempts", worker), "attempts")


def compacted_bytes(run: Path) -> int:
    """Make the evidence of a run as small as a drill leaves it; how big its attempts are then."""
    RunDir(run).compact()
    return (run / "attempts.parquet").stat().st_size


def _wait(
    guardian: Guardian, done: Any, limit_s: float, every_s: float, into: dict[str, list[Sample]]
) -> None:
    give_up_s = time.monotonic() + limit_s
    while not done():
        guardian.check()
        if time.monotonic() > give_up_s:
            raise SystemExit(f"the load was not done within {limit_s:g} s")
        for name, sample in sampled():
            into.setdefault(name, []).append(sample)
        time.sleep(every_s)


def sampled() -> list[tuple[str, Sample]]:
    """Each load process of ours, now."""
    found = []
    for pid in descendants(os.getpid()):
        name = _name(pid)
        if name:
            found.append((name, Sample(time.monotonic_ns(), process_cpu_s(pid), rss_bytes(pid))))
    return found


def _name(pid: int) -> str | None:
    """`master` or `worker-N` for a load process, else None."""
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return None
    return argv[-2] if PROCESS in argv or TIMED in argv else None


def rss_bytes(pid: int) -> int:
    """Bytes resident; 0 for one that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class _Timed:
    """A guardian that starts the workers by way of load_timed.py."""

    def __init__(self, guardian: Guardian) -> None:
        self._guardian = guardian

    def spawn(self, name: str, argv: Sequence[str], **more: Any) -> Proc:
        worker = name.startswith("load-worker")
        told = [TIMED if word == PROCESS and worker else word for word in argv]
        return self._guardian.spawn(name, told, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guardian, name)
